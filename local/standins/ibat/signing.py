"""Signed addresses in the manner of Amazon S3: for one object, one method, some time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from urllib.parse import parse_qsl, quote, urlencode

ALGORITHM = "AWS4-HMAC-SHA256"

_REQUIRED = {
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
}


class Refused(Exception):
    """A request that the signature does not cover: S3's status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Signer:
    """Signs paths, and says of a request whether it was signed. Its secret lives as it does."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._generation = 1

    def sign(self, path: str, *, seconds: float) -> str:
        """The path with a query that opens it to GET for so long."""
        now = time.time()
        query = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"STANDIN{self._generation}/eu-west-1/s3/aws4_request",
            # S3 writes whole seconds; tests let addresses expire sooner than that.
            "X-Amz-Date": f"{now:.3f}",
            "X-Amz-Expires": f"{seconds:.3f}",
            "X-Amz-SignedHeaders": "host",
        }
        query["X-Amz-Signature"] = self._signature("GET", path, query)
        return f"{quote(path)}?{urlencode(query)}"

    def expire(self) -> None:
        """Let every address that was signed so far expire now."""
        self._generation += 1

    def check(self, method: str, path: str, query: str, *, authorization: str | None) -> None:
        """Raise `Refused` unless exactly this was signed, and not too long ago."""
        pairs = parse_qsl(query, keep_blank_values=True)
        given = dict(pairs)
        if authorization is not None:
            raise Refused(
                400,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                "Signature query string parameter or the Authorization header should be specified",
            )
        if not given.keys() >= _REQUIRED:
            raise Refused(403, "AccessDenied", "Access Denied")
        signature = given.pop("X-Amz-Signature")
        right = self._signature(method, path, given)
        if len(pairs) != len(_REQUIRED) or not hmac.compare_digest(signature, right):
            # Another method, or anything added to the query.
            raise Refused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
            )
        generation = int(given["X-Amz-Credential"].partition("/")[0].removeprefix("STANDIN"))
        expires_at = float(given["X-Amz-Date"]) + float(given["X-Amz-Expires"])
        if time.time() > expires_at or generation < self._generation:
            raise Refused(403, "AccessDenied", "Request has expired")

    def _signature(self, method: str, path: str, query: dict[str, str]) -> str:
        text = "\n".join([method, path, urlencode(sorted(query.items()))])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
