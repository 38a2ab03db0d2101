"""What is in a page that the app answers with."""

from __future__ import annotations

import re
from html import unescape

import azure.functions as func

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{7919 * 7907}}"
"""A text that would do harm where it is not escaped."""


def html(answer: func.HttpResponse) -> str:
    assert answer.mimetype == "text/html"
    return answer.get_body().decode()


def text(answer: func.HttpResponse) -> str:
    """What a reader sees, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html(answer))).split())
