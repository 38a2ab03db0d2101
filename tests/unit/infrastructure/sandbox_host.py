"""A process with two sandboxed children, one at work and one idle, to be killed from outside.

It prints the ids of the children and of their template, and their directories, as JSON.
"""

from __future__ import annotations

import json
import threading

from infrastructure.sandbox import Limits, Sandbox

HERE = "tests.unit.infrastructure.sandboxed"


def main() -> None:
    busy, idle = (Sandbox(Limits(cpu_seconds=60), readable=[]) for _ in range(2))
    facts = {
        "children": [each.call(f"{HERE}:process") for each in (busy, idle)],
        "template": idle.call("os:getppid"),
        "directories": [str(each.directory) for each in (busy, idle)],
    }
    work = threading.Thread(target=busy.call, args=(f"{HERE}:spin",))
    work.start()
    print(json.dumps(facts), flush=True)
    work.join()


if __name__ == "__main__":
    main()
