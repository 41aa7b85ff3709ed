"""The rule data.positive: what it means, and that every bad one ends in one line."""

import pickle

from core.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.positive_rule import Rule, report_unknown
from test_properties import cases

FEEDBACK = pa.table(
    {
        "timespent": pa.array([1, 9, None, 255], pa.uint8()),
        "rating": pa.array([1.0, np.nan, 2.5, None], pa.float16()),
        "like": [True, None, False, False],
        "share": [False, False, True, False],
        "duration": pa.array([2, 10, 5, 0], pa.int16()),
        "device": ["a", "b", "c", "d"],
        "nothing": pa.nulls(4),
    }
)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "expected"),  # 0, 1 and None for unknown
    [
        ("timespent > 300", [0, 0, 0, 0]),
        ("\n\t timespent\n>\u00a08 ", [0, 1, 0, 1]),
        ("rating < 100000", [1, 0, 1, 0]),
        ("FALSE == like Or (share) AND TRUE != like", [0, 0, 1, 1]),
        ("nothing < 3 or like", [1, 0, 0, 0]),
        ("timespent * timespent > 255", [0, 0, None, 1]),  # beyond uint8
        ("like + share + (timespent + 1) / 10 >= 1", [1, None, None, 1]),
        ("duration / 0 > 1 or share", [None, None, 1, None]),
        ("True", [1, 1, 1, 1]),
    ],
)
def test_meaning(text: str, expected: list[int | None]) -> None:
    rule = Rule.parse(text)
    chunks = pa.concat_tables([FEEDBACK.slice(0, 1), FEEDBACK.slice(1)])
    for table in (FEEDBACK, chunks, FEEDBACK.to_batches()[0]):
        result = rule.evaluate(table)
        assert result.dtype == bool
        assert result.tolist() == [bool(value) for value in expected]
        assert rule._truth(table).is_null().to_pylist() == [value is None for value in expected]
    assert rule.evaluate(FEEDBACK.slice(0, 0)).tolist() == []
    again = pickle.loads(pickle.dumps(rule))  # as it gets to the executors of Spark
    assert again.evaluate(FEEDBACK).tolist() == result.tolist()


def test_columns_of_metadata(capsys: pytest.CaptureFixture) -> None:
    """The log lacks them. They are unknown for a row without a user or item, which is counted."""
    users = pa.table({"user_id": ["a", "b"], "age": [20.0, 30.0], "size": [1.0, 2.0]})
    items = pa.table({"item_id": ["x"], "duration": [100.0], "size": [3.0]})
    metadata = (users, np.array([1, -1, 0, 0])), (items, np.array([0, 0, -1, 0]))
    rule = Rule.parse("age > 25 or timespent >= duration * 0.1")  # the duration of the log
    found, unknown = rule.judge(FEEDBACK, *metadata)
    assert found.tolist() == [True, True, False, True]
    report_unknown(unknown)
    out = capsys.readouterr().out
    assert [line.split(": ", 1)[1] for line in out.splitlines()] == [
        "data.positive: age is null or NaN in 1 rows",
        "data.positive: timespent is null or NaN in 1 rows",
        "data.positive is unknown for 1 rows, so they are not positive",
    ]
    with pytest.raises(InputError, match="data.positive: users and items both have size; rename"):
        Rule.parse("size > 1").judge(FEEDBACK, *metadata)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("  ", "invalid syntax at the end"),
        ("timespent =5", "invalid syntax at position 11"),
        ("1 < timespent < 5", "'1 < timespent < 5' at position 1 is not allowed there"),
        ("5 < 6", "'5 < 6' at position 1 is not allowed there"),
        ("like or true", "'True' at position 9 is not allowed there"),
        ("timespent % 2 == 1", "'timespent % 2' at position 1 is not allowed there"),
        ("__import__('os').system('x')", "at position 1 is not allowed there; allowed: numbers, c"),
        ("watched > 5", "no column watched; "),
        ("device == 1", "device is string: only columns of numbers or true/false"),
        ("timespent", "timespent is a number (uint8): compare it, as in timespent > 0"),
    ],
)
def test_what_is_no_rule_is_one_line(text: str, part: str) -> None:
    with pytest.raises(InputError) as error:
        Rule.parse(text).check(FEEDBACK.schema)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(f"data.positive is {text!r}: ")
    assert part in line


# --- any rule, against pandas

Stated = tuple[str, str]  # a text, and the same for pandas
LOG = {"a": [1.5, None, 3.0, float("nan")], "b": [True, None, False, True], "n": [0, 1, 2, 3]}
COLUMN, NUMBER = st.sampled_from("abn"), st.sampled_from(["0", "1.5", "3"])
OPERATOR = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def known(values: pd.Series) -> pd.Series:
    """The finite values. For pandas, NaN is no null, such as that of 0 / 0."""
    finite = [value if pd.notna(value) and abs(value) < np.inf else None for value in values]
    return pd.Series(finite, dtype="Float64")


def computed(left: str, symbol: str, right: str) -> Stated:
    return f"{left} {symbol} {right}", f"known({left} {symbol} {right})"


def compared(column: str, symbol: str, number: str) -> Stated:
    return f"{column} {symbol} {number}", f"({column} {symbol} {number}).fillna(False)"


def joined(left: Stated, word: str, right: Stated) -> Stated:
    symbol = {"and": "&", "or": "|"}.get(word, word)
    return f"({left[0]}) {word} ({right[0]})", f"({left[1]}) {symbol} ({right[1]})"


FORMULA = st.builds(computed, COLUMN, st.sampled_from("+-*/"), COLUMN | NUMBER)
COMPARISON = (
    st.just(("b", "(b == 1).fillna(False)"))
    | st.builds(compared, COLUMN, OPERATOR, NUMBER)
    | st.builds(joined, FORMULA, OPERATOR, FORMULA | COLUMN.map(lambda name: (name, name)))
)
ANY_RULE = st.recursive(
    COMPARISON,
    lambda part: (
        part.map(lambda one: (f"not ({one[0]})", f"~({one[1]})"))
        | st.builds(joined, part, st.sampled_from(["and", "or"]), part)
    ),
    max_leaves=8,
)


@cases(300)
@given(ANY_RULE)
def test_a_rule_holds_where_pandas_says_so(stated: Stated) -> None:
    rule = Rule.parse(stated[0])
    columns = {name: known(pd.Series(values, dtype="Float64")) for name, values in LOG.items()}
    expected = eval(stated[1], {"known": known, **columns})
    assert rule.evaluate(pa.table(LOG)).tolist() == expected.fillna(False).tolist()
    assert rule._truth(pa.table(LOG)).is_null().to_pylist() == expected.isna().tolist()


WORDS = (
    "a b n x and or not ( ) < > = == != + / 1 -2.5 1e999 True . , [ lambda import __ # é f' ' :="
)


@cases(300)
@given(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
        st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=12).map(" ".join),
    )
)
def test_any_text_is_a_rule_or_one_line(text: str) -> None:
    try:
        found = Rule.parse(text).evaluate(pa.table(LOG))
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        assert str(error).startswith(f"data.positive is {text!r}: ")  # noqa: PT017
    else:
        assert (found.dtype, len(found)) == (bool, 4)
