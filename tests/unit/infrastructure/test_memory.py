"""What a process still holds after it has freed large blocks between small ones."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from infrastructure.memory import give_back_what_is_freed

def held():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

if sys.argv[1] == "limited":
    assert give_back_what_is_freed()
# A large block that is freed teaches glibc to keep blocks of its size.
block = bytearray(24 << 20)
del block
before = held()
large, small = [], []
for _ in range(100):
    large.append(b"x" * (2 << 20))
    small.append(b"y" * 100_000)
del large
print(held() - before - 100 * 100_000)
"""


def still_held(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about glibc")
def test_what_is_freed_is_given_back() -> None:
    assert still_held("limited") < 20 << 20 < still_held("as it is")
