"""What is sealed opens with the same secret and purpose, and with nothing else."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from services.curated.sealing import seal, unseal

SECRET = SecretStr("correct horse")
CONTENT = b'{"access": "t0ken"}'


def test_what_is_sealed_opens_again() -> None:
    sealed = seal(CONTENT, SECRET, "acled:a")
    assert b"t0ken" not in sealed
    assert unseal(sealed, SECRET, "acled:a") == CONTENT


def test_the_same_is_never_sealed_alike() -> None:
    first, second = (seal(CONTENT, SECRET, "acled:a") for _ in range(2))
    assert first[:16] != second[:16]
    assert first[28:] != second[28:]


@pytest.mark.parametrize(
    ("secret", "purpose"), [("correct horsf", "acled:a"), ("correct horse", "acled:b")]
)
def test_it_opens_with_no_other_secret_and_for_no_other_purpose(secret: str, purpose: str) -> None:
    assert unseal(seal(CONTENT, SECRET, "acled:a"), SecretStr(secret), purpose) is None


def test_what_is_damaged_does_not_open() -> None:
    sealed = seal(CONTENT, SECRET, "acled:a")
    for position in (0, 16, 28, len(sealed) - 1):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        assert unseal(bytes(damaged), SECRET, "acled:a") is None
    for length in (0, 15, 27, 28, len(sealed) - 1):
        assert unseal(sealed[:length], SECRET, "acled:a") is None
