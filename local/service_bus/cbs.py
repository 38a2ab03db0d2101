"""Claims-based security: clients put a signed token for each entity on the node $cbs.

The token is a shared access signature: `SharedAccessSignature sr=<entity>&sig=<signature>&
se=<expiry, seconds since 1970>&skn=<name of the key>`, signed with HMAC-SHA256 over the encoded
`sr` and `se` ("Service Bus access control with Shared Access Signatures", Microsoft Learn).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote_plus

from local.service_bus import errors
from local.service_bus.amqp.codec import encode_int, encode_string
from local.service_bus.config import AccessKey
from local.service_bus.errors import ServiceBusError
from local.service_bus.namespace import Namespace
from local.service_bus.requests import Request

logger = logging.getLogger(__name__)

NODE = "$cbs"

_PREFIX = "SharedAccessSignature "
_ACCEPTED = 202


def entity_path(address: str) -> str:
    """The path of an entity from an address: `queue`, `/queue`, `sb://host:port/queue`."""
    if "://" in address:
        address = address.split("://", 1)[1].partition("/")[2]
    return address.strip("/")


class Authorizations:
    """The entities that a connection has put valid tokens for."""

    def __init__(
        self, key: AccessKey, namespace: Namespace, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._namespace = namespace
        self._clock = clock
        self._expiries: dict[str, float] = {}

    def cover(self, path: str) -> bool:
        """Whether a token that has not expired is for this entity or one that it is part of."""
        path, now = path.lower(), self._clock()
        return any(
            expiry > now and _within(path, entity) for entity, expiry in self._expiries.items()
        )

    def answer(self, request: Request) -> bytes:
        """The reply to a request on $cbs."""
        try:
            self._put_token(request)
            status, text = _ACCEPTED, "Accepted"
        except ServiceBusError as error:
            # The SDKs do not pass the description on, so it is told here as well.
            logger.warning("a token was refused: %s", error)
            status, text = error.status, f"{error.condition}: {error.description}"
        return request.reply(
            {"status-code": encode_int(status), "status-description": encode_string(text)}
        )

    def _put_token(self, request: Request) -> None:
        if request.operation != "put-token":
            raise errors.not_implemented(f"$cbs knows put-token, not {request.operation!r}.")
        audience = request.properties.get("name")
        if not isinstance(audience, str) or not isinstance(request.body, str):
            raise errors.invalid_field("A put-token needs a name and a token.")
        path = entity_path(audience).lower()
        expiry = self._check(request.body, path)
        # The service refuses tokens for what is not there, so that the SDK fails at once.
        if path and self._namespace.find(path) is None:
            raise errors.entity_not_found(path)
        self._expiries[path] = expiry

    def _check(self, token: str, path: str) -> float:
        """The expiry of a valid token (seconds since 1970); raises ServiceBusError otherwise."""
        if not token.startswith(_PREFIX):
            raise errors.unauthorized("InvalidToken: a shared access signature is needed.")
        parts = {key: values[0] for key, values in parse_qs(token[len(_PREFIX) :]).items()}
        try:
            resource, expiry = parts["sr"], parts["se"]
            signature, name = parts["sig"], parts["skn"]
            expires_at = float(expiry)
        except (KeyError, ValueError):
            raise errors.unauthorized("MalformedToken: sr, sig, se and skn are needed.") from None
        signed = f"{quote_plus(resource)}\n{expiry}".encode()
        digest = hmac.new(self._key.key.encode(), signed, hashlib.sha256).digest()
        genuine = hmac.compare_digest(base64.b64encode(digest), signature.encode())
        if name != self._key.name or not genuine:
            raise errors.unauthorized("InvalidSignature: The token has an invalid signature.")
        if expires_at <= self._clock():
            raise errors.unauthorized("ExpiredToken: The token is expired.")
        if not _within(path, entity_path(resource).lower()):
            raise errors.unauthorized("InvalidAudience: The token is for another entity.")
        return expires_at


def _within(path: str, entity: str) -> bool:
    return entity in ("", path) or path.startswith(entity + "/")
