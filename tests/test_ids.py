"""Ids of every type to row numbers and back."""

from pathlib import Path

from core.script import InputError

import numpy as np
import pyarrow as pa
import pytest

from readers.ids import Ids, all_ids, places_of


def column(values: list, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def collect(*columns: pa.ChunkedArray) -> Ids:
    """The ids of columns a, b, …"""
    return all_ids(dict(zip("abc", columns, strict=False)))


def test_integers_keep_their_type() -> None:
    kind = pa.uint64()
    ids = collect(column([30, 7], kind), column([7, 100, 7], kind))
    assert ids.values.equals(pa.array([7, 30, 100], kind))
    rows = ids.rows(column([100, 8, 7, None], kind), "c")
    assert rows.dtype == np.int32
    assert rows.tolist() == [2, -1, 0, -1]


def test_files_may_differ_in_width() -> None:
    ids = collect(column([3, 1], pa.uint64()), column([2, 3], pa.int64()))
    assert ids.values.equals(pa.array([1, 2, 3], pa.int64()))
    assert ids.rows(column([3, 1], pa.uint64()), "a").tolist() == [2, 0]
    texts = collect(column(["b"], pa.string()), column(["a"], pa.large_string()))
    assert texts.values.equals(pa.array(["a", "b"], pa.large_string()))


def test_the_first_place_of_each_id(capsys: pytest.CaptureFixture) -> None:
    ids = collect(column([1, 2, 5], pa.uint32()))
    places = places_of(ids, column([2**40, 5, 2, 5, -1]), Path("m"), "user_id")
    assert places.to_pylist() == [None, 2, 1]
    out = capsys.readouterr().out
    assert ": m: no row for 1 of 3 users\n" in out
    assert ": m: 1 rows repeat an earlier user; only the first row counts\n" in out


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([[1], [1, None, None]], "b is null in 2 of 3 rows; must be an id"),
        ([[1.0]], "a is double; ids must be integers or strings"),
        ([[1], ["1"]], "b is string, in a it is int64; must be integers in both"),
        (
            [pa.array([2**64 - 1], pa.uint64()), [-1]],
            "a: ids beyond int64; use one type in all files",
        ),
    ],
)
def test_what_cannot_be_ids_is_one_line(columns: list, expected: str) -> None:
    with pytest.raises(InputError) as error:
        collect(*map(column, columns))
    assert str(error.value).startswith(expected)
    assert "\n" not in str(error.value)
