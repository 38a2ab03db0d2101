"""Seal what workers share so that a copy of the database does not open it.

The key is made of a secret that only the settings hold. As that may be a password which a person
has thought up, the key is stretched with scrypt (RFC 7914), at 16 MiB and some 50 ms a guess; the
content is encrypted and authenticated by AES-256-GCM. A sealed text begins with the salt of its
key (16 bytes) and the nonce (12 bytes).
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32
_COST, _BLOCK_SIZE, _PARALLEL = 1 << 14, 8, 1


def seal(content: bytes, secret: SecretStr, purpose: str) -> bytes:
    """Seal a content for a purpose: sealed for one, it does not open for another."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    cipher = AESGCM(_key(secret, salt))
    return salt + nonce + cipher.encrypt(nonce, content, purpose.encode())


def unseal(sealed: bytes, secret: SecretStr, purpose: str) -> bytes | None:
    """The content; None where it was sealed with another secret or for another purpose, or is
    damaged."""
    salt, rest = sealed[:_SALT_BYTES], sealed[_SALT_BYTES:]
    nonce, encrypted = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    if len(nonce) < _NONCE_BYTES:
        return None
    try:
        return AESGCM(_key(secret, salt)).decrypt(nonce, encrypted, purpose.encode())
    except InvalidTag:
        return None


def _key(secret: SecretStr, salt: bytes) -> bytes:
    stretched = Scrypt(salt=salt, length=_KEY_BYTES, n=_COST, r=_BLOCK_SIZE, p=_PARALLEL)
    return stretched.derive(secret.get_secret_value().encode())
