"""The browser that tests and pictures are made with: Debian's chromium; CHROMIUM names another."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

_ARGUMENTS = [
    "--no-sandbox",
    # WebGL for the maps, drawn by the processor.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # Pages without a map need none of that, and are drawn in a fraction of the time.
    "--disable-gpu-compositing",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def executable() -> str | None:
    """Where it is, or None where there is none."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def launch(playwright: Playwright) -> Browser:
    """The browser, which is the caller's to close; Playwright's own where there is no other."""
    return playwright.chromium.launch(executable_path=executable(), args=_ARGUMENTS)
