"""The credentials of sources: where they are, and to whom they may be shown.

A dataset names settings, and never holds a secret. What a setting holds is read here, at the
moment when a request is made, and goes to the origin that it is bound to and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import SecretStr

from config import Settings, get_settings
from core.errors import PermanentTaskError
from infrastructure import source_addresses


def missing(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the named credentials that are not there: neither a setting of their own, nor
    an entry of GEOFORGE_CREDENTIALS."""
    settings = get_settings()
    return tuple(
        name
        for name in names
        if name not in settings.credentials and _secret(settings, name) is None
    )


def secret(name: str) -> SecretStr:
    """The value of a setting. Raises `PermanentTaskError` (credentials_missing) naming it."""
    found = _secret(get_settings(), name)
    if found is None:
        raise _missing(name)
    return found


def bearer(name: str, url: str) -> dict[str, str]:
    """The headers that open an address, by the token of this name in GEOFORGE_CREDENTIALS.

    Raises `PermanentTaskError` where there is none (credentials_missing), and where it is bound
    to another origin (credentials_elsewhere).
    """
    bound = get_settings().credentials.get(name)
    if bound is None:
        raise _missing(f"{name} of GEOFORGE_CREDENTIALS")
    if not same_origin(url, bound.origin):
        raise PermanentTaskError(
            f"The credentials {name} are bound to {bound.origin} in GEOFORGE_CREDENTIALS: they "
            "are not sent to the source's address.",
            code="credentials_elsewhere",
        )
    return {"Authorization": f"Bearer {bound.token.get_secret_value()}"}


def same_origin(url: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str, int]:
    parsed = source_addresses.parse(url)
    return parsed.scheme, parsed.host, source_addresses.port_of(parsed)


def _secret(settings: Settings, name: str) -> SecretStr | None:
    for field, about in Settings.model_fields.items():
        value = getattr(settings, field)
        if about.alias == name and isinstance(value, SecretStr):
            # Secrets out of files and vaults like to end in a line break.
            text = value.get_secret_value().strip()
            return SecretStr(text) if text else None
    return None


def _missing(what: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"{what} is not set: the source cannot be asked without it.", code="credentials_missing"
    )
