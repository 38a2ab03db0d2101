"""Access keys, asked for only where GEOFORGE_ENFORCE_KEYS=1, as on Azure.

The app is told them in any case: it has data that only their holders may see.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

KEYS_FILE = "keys.json"
RESTRICTED_KEYS = "GEOFORGE_RESTRICTED_KEYS"


@dataclass(frozen=True, slots=True)
class Keys:
    """`master` opens everything, `default` functions, `system` the Durable webhooks."""

    master: str
    default: str
    system: str

    @classmethod
    def load_or_create(cls, state_dir: Path) -> Keys:
        """The keys in the state directory, made at the first start and readable by the owner."""
        path = state_dir / KEYS_FILE
        if not path.exists():
            state_dir.mkdir(parents=True, exist_ok=True)
            _write_once(path, {name: secrets.token_urlsafe(32) for name in cls.__slots__})
        return cls(**json.loads(path.read_text()))

    def tell_app(self, environment: MutableMapping[str, str]) -> None:
        """Add those that open functions to the keys that the app knows by its settings."""
        named = environment.get(RESTRICTED_KEYS, "").split(",")
        known = dict.fromkeys([*filter(None, named), self.default, self.master])
        environment[RESTRICTED_KEYS] = ",".join(known)


class AccessControl:
    """Decides whether a request may pass. Without keys, everyone may."""

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys

    @property
    def system_key(self) -> str | None:
        """The key that the links to the Durable webhooks carry, where keys are asked for."""
        return self._keys.system if self._keys else None

    def allows(self, level: str, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """Whether a request to something of this level (anonymous, function, system, admin)
        brings a key that opens it, as `x-functions-key` header or `code` parameter.
        """
        if self._keys is None or level == "anonymous":
            return True
        given = headers.get("x-functions-key") or query.get("code") or ""
        accepted = [self._keys.master]
        if level == "function":
            accepted.append(self._keys.default)
        if level == "system":
            accepted.append(self._keys.system)
        return any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)


def _write_once(path: Path, keys: Mapping[str, str]) -> None:
    """Write the file whole, or leave the one that another process was quicker to write."""
    # Only its owner can read what this makes.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(keys, file)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
