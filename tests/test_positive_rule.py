"""The rule data.positive: what it means, and that every bad one ends in one line."""

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pytest

from readers import positive_rule
from readers.positive_rule import Rule

FEEDBACK = pa.table(
    {
        "timespent": pa.array([1, 9, None, 255], pa.uint8()),
        "rating": pa.array([1.0, np.nan, 2.5, None], pa.float16()),
        "like": [True, None, False, False],
        "share": [False, False, True, False],
        "device": ["a", "b", "c", "d"],
        "nothing": pa.nulls(4),
    }
)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timespent > 5", [0, 1, 0, 1]),
        ("timespent>=9", [0, 1, 0, 1]),
        ("timespent <  9", [1, 0, 0, 0]),
        ("timespent <= 9", [1, 1, 0, 0]),
        ("timespent == 9", [0, 1, 0, 0]),
        ("timespent != 9", [1, 0, 0, 1]),
        ("5 < timespent", [0, 1, 0, 1]),
        ("9 >= timespent", [1, 1, 0, 0]),
        ("timespent > 8.5", [0, 1, 0, 1]),
        ("timespent > 300", [0, 0, 0, 0]),
        ("timespent > -1", [1, 1, 0, 1]),
        ("timespent > +8.", [0, 1, 0, 1]),
        ("timespent>.85E+1", [0, 1, 0, 1]),
        ("\n\t timespent\n>\u00a08 ", [0, 1, 0, 1]),
        ("timespent > 1e99", [0, 0, 0, 0]),
        ("rating == 2.5", [0, 0, 1, 0]),
        ("rating != 1", [0, 0, 1, 0]),
        ("rating < 100000", [1, 0, 1, 0]),
        ("like", [1, 0, 0, 0]),
        ("like == false", [0, 0, 1, 1]),
        ("True == like", [1, 0, 0, 0]),
        ("like != 0", [1, 0, 0, 0]),
        ("not like", [0, 1, 1, 1]),
        ("not timespent > 5", [1, 0, 1, 0]),
        ("NOT not like", [1, 0, 0, 0]),
        ("not " * 49 + "like", [0, 1, 1, 1]),
        ("(" * 49 + "like" + ")" * 49, [1, 0, 0, 0]),
        ("FALSE == like Or (share) AND TRUE != like", [0, 0, 1, 1]),
        ("like or share", [1, 0, 1, 0]),
        ("like or share and timespent > 5", [1, 0, 0, 0]),
        ("(like or share) and timespent > 5", [0, 0, 0, 0]),
        ("not (like or share)", [0, 1, 0, 1]),
        ("like or share or timespent > 10", [1, 0, 1, 1]),
        ("((timespent > 5) and not like)\n", [0, 1, 0, 1]),
        ("nothing", [0, 0, 0, 0]),
        ("nothing < 3 or like", [1, 0, 0, 0]),
    ],
)
def test_meaning(text: str, expected: list[int]) -> None:
    result = Rule.parse(text).evaluate(FEEDBACK)
    assert result.dtype == bool
    assert result.tolist() == [bool(value) for value in expected]


def test_columns_are_each_named_once_in_order() -> None:
    assert Rule.parse("share or (timespent > 5 and not share) or 3 < like").columns == (
        "share",
        "timespent",
        "like",
    )


def test_a_name_may_be_in_any_alphabet_and_hold_a_keyword() -> None:
    table = pa.table({"время": [3, 9], "android": [True, False]})
    assert Rule.parse("время > 5 or android").evaluate(table).tolist() == [True, True]


def test_names_that_python_takes_for_the_same_are_different_columns() -> None:
    """The ligature of one is a single letter, which Python's NFKC turns into f and i."""
    table = pa.table({"ﬁlm": [True, False], "film": [False, True], "x²": [1, 2]})
    assert Rule.parse("ﬁlm").evaluate(table).tolist() == [True, False]
    assert Rule.parse("film").evaluate(table).tolist() == [False, True]
    assert Rule.parse("x² > 1").evaluate(table).tolist() == [False, True]
    assert Rule.parse("ﬁlm or x² == 2 and film").columns == ("ﬁlm", "x²", "film")
    with pytest.raises(InputError, match="no column ﬁlm"):
        Rule.parse("ﬁlm").check(table.select(["film"]).schema)


def test_a_table_in_chunks_and_without_rows() -> None:
    rule = Rule.parse("like or timespent > 5")
    chunks = pa.concat_tables([FEEDBACK.slice(0, 1), FEEDBACK.slice(1)])
    assert rule.evaluate(chunks).tolist() == rule.evaluate(FEEDBACK).tolist()
    assert rule.evaluate(FEEDBACK.slice(0, 0)).tolist() == []


def test_large_integers_are_compared_exactly() -> None:
    table = pa.table({"n": [2**53, 2**53 + 1]})
    assert Rule.parse(f"n > {2**53}").evaluate(table).tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("timespent =5", "'=5' at position 11"),
        ("timespent => 5", "'=>' at position 11"),
        ("timespent > 5 && like", "'&' at position 16"),
        ("timespent > 5x", "'5x' at position 13"),
        ("like >", "the end at position 7"),
        ("timespent > and", "'and' at position 13"),
        ("(like", "'(like' at position 1: '(' was never closed"),
        ("like)", "')' at position 5"),
        ("like share", "'share' at position 6"),
        ("  \n like share", "'share' at position 10"),
        ("время or время врем", "'врем' at position 16"),
        ("время > 'ы' or like", "\"'ы'\" at position 9, where a number"),
        ("1 < timespent < 5", "'1 < timespent < 5' at position 1 must be a column, or compare"),
        ("5 < 6", "'5 < 6' at position 1 must be a column, or compare one with a value"),
        ("like == share", "'share' at position 9, where a number, true or false should be"),
        ("like or true", "'true' at position 9 must be a column, or compare one with a value"),
        ("not", "the end at position 4"),
        ("device == 'a'", "\"'a'\" at position 11"),
        ("__import__('os').system('x')", "at position 1 must be a column, or compare one"),
        ("timespent > 1e999", "'1e999' at position 13 is too large"),
        ("timespent > -1e+999", "'-1e+999' at position 13 is too large"),
        ("timespent > " + "9" * 400, "at position 13 is too large"),
        ("timespent > " + "9" * 5000, "5000 digits"),
        ("(" * 60 + "like" + ")" * 60, "more than 50"),
        ("(" * 5000 + "like" + ")" * 5000, "more than 50"),
        ("not " * 51 + "like", "more than 50"),
        ("not " * 5000 + "like", "more than 50"),
        ("not " * 100_000 + "like", "more than 50"),
        ("-" * 100_000 + "1 < timespent", "more than 50"),
    ],
)
def test_no_rule(text: str, part: str) -> None:
    with pytest.raises(InputError) as error:
        Rule.parse(text)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(f"data.positive is {text!r}: ")
    assert part in line
    assert "allowed: " in line


NOT_A_WORD = "is a word of Python that no rule has, nor may a column be named so"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("timespent in like", f"'in' at position 11 {NOT_A_WORD}"),
        ("class > 5", f"'class' at position 1 {NOT_A_WORD}"),
        ("like or None", f"'None' at position 9 {NOT_A_WORD}"),
        ("timespent is 5", f"'is' at position 11 {NOT_A_WORD}"),
        ("like if share else like", f"'if' at position 6 {NOT_A_WORD}"),
        ("(lambda: like)", f"'lambda' at position 2 {NOT_A_WORD}"),
        ("await like", f"'await' at position 1 {NOT_A_WORD}"),
        ("timespent > 5 # like", f"'#' at position 15 {NOT_A_WORD}"),
        ("like()", "'like()' at position 1 must be a column"),
        ("max(timespent) > 5", "at position 1 must be a column"),
        ("like.share", "'like.share' at position 1 must be a column"),
        ("like[0]", "'like[0]' at position 1 must be a column"),
        ("like, share", "at position 1 must be a column"),
        ("()", "'()' at position 1 must be a column"),
        ("...", "'...' at position 1 must be a column"),
        ("like == ()", "'()' at position 9, where a number"),
        ("(like := true)", "at position 2 must be a column"),
        ("like = true", "'=' at position 6"),
        ("like <> true", "'<>' at position 6"),
        ("like & share", "'like & share' at position 1 must be a column"),
        ("~like", "'~like' at position 1 must be a column"),
        ("-like", "'-like' at position 1 must be a column"),
        ("timespent + 1 > 5", "at position 1 must be a column"),
        ("timespent > 4 + 1", "'4 + 1' at position 13, where a number"),
        ("timespent > --5", "'--5' at position 13, where a number"),
        ("timespent > - 5", "'- 5' at position 13, where a number"),
        ("like == -true", "'-true' at position 9, where a number"),
        ("timespent > 0x10", "'0x10' at position 13, where a number"),
        ("timespent > 1_000", "'1_000' at position 13, where a number"),
        ("timespent > 1j", "'1j' at position 13, where a number"),
        ("timespent > 007", "leading zeros"),
        ("timespent > 5or like", "invalid decimal literal"),
        ("timespent > nan", "'nan' at position 13, where a number"),
        ("device == f'{like}'", "at position 11, where a number"),
        ("device == 'a", "unterminated string"),
        ("device == '\\d'", "at position 11"),
        ("like \\\n or share", "at position 7"),
        ("like\0", "null byte"),
        ("like or \ud800", "surrogates not allowed"),
        ("like; share", "';' at position 5"),
    ],
)
def test_what_else_python_allows_is_refused(text: str, part: str) -> None:
    with pytest.raises(InputError) as error:
        Rule.parse(text)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(f"data.positive is {text!r}: ")
    assert part in line


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("watched > 5", "no column watched; the feedback columns are timespent, rating, like"),
        ("like or watched", "no column watched"),
        ("device == 1", "device is string: only columns of numbers or true/false"),
        ("timespent", "timespent is of numbers (uint8): compare it with a number"),
        ("timespent == true", "timespent is of numbers"),
        ("like > 0", "like is true/false: write it alone"),
        ("like == 2", "like is true/false: write it alone"),
    ],
)
def test_a_rule_that_does_not_fit_the_columns(text: str, part: str) -> None:
    rule = Rule.parse(text)
    for check in (lambda: rule.evaluate(FEEDBACK), lambda: rule.check(FEEDBACK.schema)):
        with pytest.raises(InputError) as error:
            check()
        assert part in str(error.value)
        assert "\n" not in str(error.value)


def test_missing_values() -> None:
    expected = {"timespent": [0, 0, 1, 0], "rating": [0, 1, 0, 1], "nothing": [1, 1, 1, 1]}
    for name, is_missing in expected.items():
        assert positive_rule.values(FEEDBACK[name])[1].tolist() == [
            bool(value) for value in is_missing
        ]
