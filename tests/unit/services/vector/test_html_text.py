"""Plain text from HTML, and the attributes in its tables."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from services.vector.html_tables import attribute_table
from services.vector.html_text import looks_like_html, plain_texts, to_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("Tom &amp; <b>Jerry</b>&nbsp;&lt;3", "Tom & Jerry <3"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("  much \n white\t space ", "much white space"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<ul><li>one<li>two</li></ul>", "- one\n- two"),
        ('<a href="http://x.example">site</a>', "site (http://x.example)"),
        ('<a href="http://x.example">http://x.example</a>', "http://x.example"),
        ("<a href='mailto:a@b.example'>a@b.example</a>", "a@b.example"),
        ("<a href=javascript:evil()>x</a>", "x"),
        ("<img src='x.png' alt='A map'>", "A map"),
        ("a<script>alert('<b>')</script>b<style>p{}</style>c<!-- <b> -->d", "abcd"),
        ("<html><head><title>t</title></head><body>x</body></html>", "x"),
        (
            "<table><tr><th>Name:</th><td>Oak</td></tr>\n<tr><td>Age</td><td>90</td></tr></table>",
            "Name: Oak\nAge: 90",
        ),
        ("<table><tr><td>a<td>b<td>c<tr><td>d</table>", "a | b | c\nd"),
        (
            "<table><tr><td>Title</td></tr><tr><td><table><tr><td>k</td><td>v</td></tr></table>"
            "</td></tr></table>after",
            "Title\nk: v\nafter",
        ),
        ("x < y and y > z", "x < y and y > z"),
        ("<![CDATA[<b>inner</b>]]>", "inner"),
        ("", ""),
        ("<b", "<b"),
    ],
)
def test_text_of_markup(markup: str, text: str) -> None:
    assert to_text(markup) == text


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", '<a "', "<a b='", "<!--", "<!", "<script>", "<table><tr><td>", "<div><p>", "&amp",
     "<![CDATA[", "<a href=x>", "</a>", "<tr><td>a</td><td>", "<pre>", "<li>"],
)  # fmt: skip
def test_hostile_markup_takes_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        markup = piece * (size // len(piece))
        began = time.process_time()
        to_text(markup)
        attribute_table(markup)
        return time.process_time() - began

    assert seconds(800_000) < 8 * seconds(200_000) + 0.5


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("<b>x</b>", True),
        ("one<br>two", True),
        ("a &amp; b", True),
        ("<!DOCTYPE html>", True),
        ("a < b > c", False),
        ("AT&T", False),
        ("<unknown>", False),
        ("plain", False),
    ],
)
def test_looks_like_html(text: str, looks: bool) -> None:
    assert looks_like_html(text) is looks


def test_an_array_keeps_what_is_no_markup() -> None:
    texts = pa.array(["a < b", None, "<b>x</b>", "<b>x</b>", "<p></p>", "AT&T"])

    assert plain_texts(texts).to_pylist() == ["a < b", None, "x", "x", None, "AT&T"]


def test_an_array_without_markup_is_itself() -> None:
    texts = pa.array(["a", None])

    assert plain_texts(texts) is texts


@pytest.mark.parametrize(
    ("markup", "table"),
    [
        ("<table><tr><td>a</td><td>1</td></tr><tr><th>b:</th><td>x &amp; y</td></tr></table>",
         {"a": "1", "b": "x & y"}),
        ("<TABLE><TR BGCOLOR='#fff'><TD>a</TD><TD><b>1</b></TD></TR></TABLE>", {"a": "1"}),
        ("<tr><td>a</td><td>&lt;Null&gt;</td></tr>", {"a": ""}),
        ("<tr><td>a</td><td>1</td></tr><tr><td>a</td><td>2</td></tr>", {"a": "1"}),
        ("<tr><td>a</td><td>1</td><td>2</td></tr>", {}),
        ("<tr><td>only</td></tr>", {}),
        ('<li><strong><span class="atr-name">k</span>:</strong> '
         '<span class="atr-value">v</span></li>', {"k": "v"}),
        ("no table", {}),
    ],
)  # fmt: skip
def test_attribute_tables(markup: str, table: dict[str, str]) -> None:
    assert attribute_table(markup) == table
