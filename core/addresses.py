"""Addresses on the network: what people are shown of them, and which may be kept.

A query may hold a signature, and before the host there may be a user and a password. Views leave
out both. `app.without_secrets` does the same in the database, for searches: what is not shown
must not be found either.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import Field

from core.own_words import or_else

HIDDEN_QUERY = "?***"
HIDDEN_USER = "***@"

_USER = re.compile(r"(https?://)[^/?#]*@", re.IGNORECASE)
# An address in a longer text, such as an expression.
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)

# Names under which credentials are given, as words: token, sig, auth_key, x_amz_signature,
# aws_access_key_id. In a query, `code` is the key of an Azure function.
_SECRET = re.compile(
    r"(?:.*_)?(?:password|passwd|passphrase|pwd|secret|token|signature|sig|credentials?|jwt)"
    r"|(?:.*_)?(?:access|account|api|auth|functions?|private|subscription)_?key(?:_id)?"
    r"|(?:access|api|auth|bearer|sas)token|auth|authorization|cookie|key|pass"
)
_SECRET_OF_QUERY = re.compile(rf"{_SECRET.pattern}|code")
# Between the words of names such as accessToken and AWSAccessKeyId.
_NEXT_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|-")

SourceUrl = Annotated[
    str,
    Field(max_length=2048, pattern=r"^https?://[^/?#@\s]+([/?#][^\s]*)?$"),
    or_else(
        "must be an address that begins with https:// or http://, without spaces, and without a "
        "user name or a password"
    ),
]
"""The address of a source that is fetched. Its query may hold a signature."""


def without_secrets(value: Any) -> Any:
    """The value, with the query of each address in it replaced by `?***`, and what stands before
    its host by `***@`."""
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if isinstance(value, dict):
        return {name: without_secrets(each) for name, each in value.items()}
    return value


def has_hidden(value: Any) -> bool:
    """Whether something was left out of a value by `without_secrets`: it is of no use again."""
    text = str(value)
    return HIDDEN_QUERY in text or f"://{HIDDEN_USER}" in text


def bare(address: str) -> str:
    """An address without user, password, query and fragment, whether it is a sound one or not."""
    try:
        parts = urlsplit(address)
    except ValueError:  # such as brackets around what is no IPv6 address
        return address.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def names_secret(name: str) -> bool:
    """Whether a field's name is one under which credentials are given."""
    return _is_named(_SECRET, name)


def secrets_in_query(address: str) -> list[str]:
    """The names of an address's query under which credentials are given, with a value or without.

    Raises ValueError for what is no address.
    """
    query = urlsplit(address).query
    return [
        name
        for name, _ in parse_qsl(query, keep_blank_values=True)
        if _is_named(_SECRET_OF_QUERY, name)
    ]


def secret_in(text: str) -> str | None:
    """What of a text is a secret in an address: "a user or a password", or the name of a value in
    a query; None where there is none. The text of an expression may end an address with an empty
    value, and go on with an input's."""
    for match in _ADDRESS.finditer(text):
        address = match[0]
        if _USER.match(address):
            return "a user or a password"
        query = address.partition("?")[2].partition("#")[0]
        for name, value in parse_qsl(query):
            if value and _is_named(_SECRET_OF_QUERY, name):
                return repr(name)
    return None


def _shown(text: str) -> str:
    if not text.lower().startswith(("http://", "https://")):
        return text
    text = _USER.sub(rf"\g<1>{HIDDEN_USER}", text, count=1)
    address, mark, _ = text.partition("?")
    return address + HIDDEN_QUERY if mark else text


def _is_named(names: re.Pattern[str], name: str) -> bool:
    return names.fullmatch(_NEXT_WORD.sub("_", name).lower()) is not None
