"""Ids of every type to row numbers and back."""

from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pytest

from readers.ids import Collector, Ids


def column(values: list, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def collect(*columns: pa.ChunkedArray) -> Ids:
    """The ids of files a, b, …"""
    collector = Collector("user_id")
    for name, ids in zip("abc", columns, strict=False):
        collector.add(ids, Path(name))
    return collector.ids()


def line_of(*columns: pa.ChunkedArray) -> str:
    with pytest.raises(InputError) as error:
        collect(*columns)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "kind", [pa.uint8(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()], ids=str
)
def test_integers_keep_their_type(kind: pa.DataType) -> None:
    ids = collect(column([30, 7], kind), column([7, 100, 7], kind))
    assert ids.values.equals(pa.array([7, 30, 100], kind))
    rows = ids.rows(column([100, 8, 7, None], kind), "c: user_id")
    assert rows.dtype == np.int32
    assert rows.tolist() == [2, -1, 0, -1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_strings_keep_their_type(kind: pa.DataType) -> None:
    ids = collect(column(["ü", "b"], kind), column(["b", "", "10", "9"], kind))
    assert ids.values.equals(pa.array(["", "10", "9", "b", "ü"], kind))
    assert ids.rows(column(["9", "x", None], kind), "c: user_id").tolist() == [2, -1, -1]


def test_dictionaries_and_views_are_read_as_what_they_hold() -> None:
    encoded = pa.chunked_array(
        [pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "b"]).dictionary_encode()]
    )
    ids = collect(encoded, column(["d"], pa.string_view()))
    assert ids.values.equals(pa.array(["a", "b", "c", "d"]))
    assert ids.rows(encoded, "c: user_id").tolist() == [1, 0, 2, 1]
    assert ids.rows(column(["d"], pa.string_view()), "c: user_id").tolist() == [3]


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        (pa.uint32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.uint32(), pa.int64()),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.uint8(), pa.uint16(), pa.uint16()),
        (pa.uint64(), pa.int64(), pa.int64()),
        (pa.int64(), pa.uint64(), pa.int64()),
        (pa.uint64(), pa.uint32(), pa.uint64()),
    ],
    ids=str,
)
def test_files_may_differ_in_width(
    first: pa.DataType, second: pa.DataType, common: pa.DataType
) -> None:
    ids = collect(column([3, 1], first), column([2, 3], second))
    assert ids.values.equals(pa.array([1, 2, 3], common))
    assert ids.rows(column([3, 1], first), "a: user_id").tolist() == [2, 0]
    assert ids.rows(column([2, 3], second), "b: user_id").tolist() == [1, 2]


def test_string_and_large_string_go_together() -> None:
    ids = collect(column(["b"], pa.string()), column(["a"], pa.large_string()))
    assert ids.values.equals(pa.array(["a", "b"], pa.large_string()))
    assert ids.rows(column(["b"], pa.string()), "a: user_id").tolist() == [1]


def test_other_ids_of_a_wider_type_are_unknown_not_an_error() -> None:
    ids = collect(column([1, 2], pa.uint32()))
    assert ids.rows(column([2**40, 2, -1], pa.int64()), "m: user_id").tolist() == [-1, 1, -1]


def test_extremes() -> None:
    ids = collect(column([2**64 - 1, 0], pa.uint64()))
    assert ids.rows(column([0, 2**64 - 1, 1], pa.uint64()), "a: user_id").tolist() == [0, 1, -1]
    ids = collect(column([-(2**63), 5], pa.int64()))
    assert ids.rows(column([5, -(2**63)], pa.int64()), "a: user_id").tolist() == [1, 0]


def test_null_ids() -> None:
    line = line_of(column([1], pa.int64()), column([1, None, None], pa.int64()))
    assert line == "b: user_id is null in 2 of 3 rows; must be an id"


@pytest.mark.parametrize(
    "ids",
    [column([1.0], pa.float64()), column([[1]], pa.list_(pa.int64())), pa.chunked_array([[True]])],
    ids=lambda ids: str(ids.type),
)
def test_wrong_kind(ids: pa.ChunkedArray) -> None:
    assert line_of(ids) == f"a: user_id is {ids.type}; ids must be integers or strings"


def test_integers_and_strings_do_not_mix() -> None:
    line = line_of(column([1], pa.uint32()), column(["1"], pa.string()))
    assert line.startswith("b: user_id is string, in a: user_id it is uint32; must be integers in")
    with pytest.raises(InputError, match="m: user_id is string, in the interactions it is uint32"):
        collect(column([1], pa.uint32())).rows(column(["1"], pa.string()), "m: user_id")


def test_ids_that_fit_no_common_type() -> None:
    line = line_of(column([2**64 - 1], pa.uint64()), column([-1], pa.int64()))
    assert line.startswith("a: user_id is uint64 with ids beyond int64")
