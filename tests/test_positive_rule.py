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
        ("timespent > 5 && like", "'&&' at position 15"),
        ("timespent > 5x", "'5x' at position 13"),
        ("like >", "the end at position 7, where a number"),
        ("timespent > and", "'and' at position 13, where a number"),
        ("(like", "the end at position 6, where a closing parenthesis"),
        ("like)", "')' at position 5, where and, or, or the end"),
        ("like share", "'share' at position 6"),
        ("1 < timespent < 5", "'<' at position 15"),
        ("5 < 6", "< at position 3 must compare a column with a value"),
        ("like == share", "== at position 6 must compare a column with a value"),
        ("true", "the end at position 5, where an operator"),
        ("not", "the end at position 4, where a column"),
        ("device == 'a'", "\"'a'\" at position 11"),
        ("__import__('os').system('x')", "'(' at position 11"),
        ("timespent > 1e999", "1e999 at position 13 is too large"),
        ("timespent > " + "9" * 5000, "at position 13 is too large"),
        ("(" * 60 + "like" + ")" * 60, "more than 50"),
        ("not " * 5000 + "like", "more than 50"),
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
