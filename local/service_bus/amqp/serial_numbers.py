"""Sequence numbers of 32 bits that start again at 0 (RFC 1982), which AMQP counts with."""

from __future__ import annotations

_MODULUS = 2**32
_HALF = 2**31


def after(number: int, steps: int = 1) -> int:
    """The number that is `steps` after `number`."""
    return (number + steps) % _MODULUS


def distance(start: int, end: int) -> int:
    """How many steps lead from `start` to `end`; negative where `end` lies before."""
    return (end - start + _HALF) % _MODULUS - _HALF
