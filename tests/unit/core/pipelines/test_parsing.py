"""Which texts are expressions, and what is said of those that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pipelines.expressions import ExpressionError, parse
from core.pipelines.expressions.parsing import MAX_DEPTH, MAX_LENGTH


@pytest.mark.parametrize(
    ("text", "steps", "inputs", "uses_item"),
    [
        ("inputs.blob", set(), {"blob"}, False),
        ('inputs["blob"]', set(), {"blob"}, False),
        ("steps.load.outputs.tables[:].table", {"load"}, set(), False),
        ("steps.a.outputs.n + steps.b.outputs.n * inputs.k", {"a", "b"}, {"k"}, False),
        ("item.name if item_index == 0 else run.date", set(), set(), True),
        ("coalesce(inputs.a, [steps.b.job_id])", {"b"}, {"a"}, False),
        # Names that are Python's keywords are names all the same.
        ("inputs.from + inputs.class", set(), {"from", "class"}, False),
        ("steps.import.outputs. is", {"import"}, set(), False),
        ('"a.from.b" + inputs.x', set(), {"x"}, False),
        ("not true and null == None", set(), set(), False),
    ],
)
def test_what_an_expression_refers_to(
    text: str, steps: set[str], inputs: set[str], uses_item: bool
) -> None:
    expression = parse(text)
    assert (expression.steps, expression.inputs) == (steps, inputs)
    assert expression.uses_item is uses_item


def test_only_an_expression_without_names_is_constant() -> None:
    assert parse('length("abc") > 2').is_constant
    assert not parse("run.date").is_constant


def test_expressions_are_equal_that_mean_the_same() -> None:
    assert parse("inputs.a+1") == parse(' inputs["a"] + 1 ')
    assert parse("inputs.a+1") != parse("inputs.a+2")
    assert parse("1") != parse("1 + 0")


def test_line_breaks_and_spaces_around_it_do_not_matter() -> None:
    assert parse("  inputs.a\n\t== 1\r\n").evaluate({"inputs": {"a": 1}}) is True


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("", 0, "nothing here"),
        (" \n ", 0, "nothing here"),
        ("inputs.a = 1", 9, "compared with =="),
        ("inputs.a ==", 11, "missing at the end"),
        ("1 if inputs.a", 0, "a if c else b"),
        ("inputs.a inputs.b", 9, "cannot be read from here on: inputs.b"),
        ("'abc", 0, "ends with the quotes"),
        ("  (1 + 2", 2, "( is opened here and never closed"),
        ("1 + 2)", 5, ") closes nothing"),
        ("inputs.a && true", 9, "written as: and"),
        ("inputs.a || true", 9, "written as: or"),
        ("!inputs.a", 0, "written as: not"),
        ("inputs.a ? 1 : 2", 9, "a if c else b"),
        ("parks", 0, 'a text is written in quotes ("parks")'),
        ("1 + input.a", 4, "Did you mean inputs?"),
        ("steps", 0, "steps alone is no value"),
        ("length(inputs)", 7, "inputs alone is no value"),
        ("steps[:].outputs", 0, "after steps comes a name"),
        ("inputs[0]", 0, "after inputs comes a name"),
        ("inputs.a[1:2]", 9, "between [ and ]"),
        ("inputs.a[inputs.b]", 9, "between [ and ]"),
        ("inputs.a[true]", 9, "between [ and ]"),
        ("lenght(inputs.a)", 0, "Did you mean length?"),
        ("inputs.a.upper()", 0, "functions are written as NAME(value)"),
        ("length()", 0, "takes one value"),
        ("coalesce(1)", 0, "takes 2 to 20 values, and this gives it 1"),
        ("first(x=inputs.a)", 0, "written as first(list)"),
        ("first(*inputs.a)", 0, "written as first(list)"),
        ("1 / 2", 0, "no other sign"),
        ("2 ** 99", 0, "no other sign"),
        ("inputs.a is null", 0, "not with is"),
        ('f"{inputs.a}"', 0, "put together with +"),
        ("{1: 2}", 0, "an object cannot be written"),
        ("(1, 2)", 0, "square brackets"),
        ("[x for x in inputs.a]", 0, "list[:].NAME"),
        ("lambda: 1", 0, "not part of the language"),
        ("(x := 1)", 1, "not part of the language"),
        ("b'a'", 0, "not part of the language"),
        ("...", 0, "not part of the language"),
        ("1j", 0, "not part of the language"),
        ("~1", 0, "not part of the language"),
        ("1e999", 0, "too large"),
        ("99999999999999999999", 0, "too large"),
        ("inputs.a # b", 9, "comments"),
        ("inputs.a # b\n + 1", 9, "comments"),
        (r"'C:\data'", 3, "written twice"),
        (r"'\x00'", 1, "written twice"),
        ("'a\x00b'", 2, "cannot be kept"),
        ("'\udc80'", 1, "cannot be kept"),
        ("inputs.é == 'ü' and parks", 20, "quotes"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, f"at most {MAX_LENGTH}"),
        ("(" * 300, None, ""),
        ("not " * (MAX_DEPTH + 2) + "true", None, "too long"),
        ("-" * 400 + "1", None, ""),
        ("[" + "1," * 220 + "1]", None, "too long"),
        ("inputs" + ".a" * 100, 0, "too deep"),
    ],
)
def test_what_is_no_expression(text: str, offset: int | None, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert said in caught.value.message
    if offset is not None:
        assert caught.value.offset == offset


_WORDS = """
inputs steps item run true null . [ ] ( ) : , + - * == != < in not and or if else is " ' a 0 1.5
9999999999 length first coalesce \\ # é [:] .outputs lambda for await import ; := ** { } f'
"""
_PIECES = st.sampled_from([*_WORDS.split(), "\n", "\x00", "\ud800", "\t"])


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=25).map(" ".join),
                 st.lists(_PIECES, max_size=25).map("".join)))  # fmt: skip
def test_a_text_is_an_expression_or_is_told_why_not(text: str) -> None:
    told = None
    try:
        expression = parse(text)
    except ExpressionError as error:
        told = error
    if told is None:
        assert parse(text) == expression
    else:
        assert told.message
        assert 0 <= told.offset <= len(text)
