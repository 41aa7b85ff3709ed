"""The log of both VK layouts: its rows, their order, and its channels; categories."""

from pathlib import Path

from core.script import InputError
from core.tables import CHANNELS

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readers import vk
from readers.positive_rule import Rule

NAN = float("nan")
ALL = {
    "like": [True, False, None],
    "share": pa.array([2, 0, None], pa.int8()),
    "bookmark": [0.5, NAN, 0.0],
    "dislike": [None, None, None],
    "click_on_author": [False, True, True],
    "open_comments": [True, True, False],
    "timespent": pa.array([3, 255, 0], pa.uint8()),
    "place": pa.array([7, 4, 7], pa.uint8()),
    "platform": ["web", None, "app"],
    "agent": [2.0, NAN, 1.0],
}


def read(folder: Path, *files: dict) -> dict[str, list]:
    """The log of files with these columns beside ids and a rating, and the ids."""
    paths = []
    for number, columns in enumerate(files):
        rows = np.arange(len(next(iter(columns.values()))))
        paths.append(folder / f"{number}.parquet")
        table = {"user_id": rows, "item_id": rows, "rating": rows + 1, **columns}
        pq.write_table(pa.table(table), paths[-1])
    number, rule = np.arange(len(files)), Rule.parse("rating > 0")
    tables = vk.read_log(paths, rule, metadata_of, "number", number)
    of_ids = {"users": tables.users[0].to_pylist(), "items": tables.items[0].to_pylist()}
    return tables.interactions.to_pydict() | of_ids


def metadata_of(*ids: pa.Array) -> tuple:
    users, items = (
        pa.table({"id": of, name: np.arange(len(of), dtype="f4")})
        for of, name in zip(ids, ("age", "duration"), strict=True)
    )
    return users, items, None, None


def channels_of(log: dict[str, list]) -> dict[str, list]:
    return {name: values for name, values in log.items() if name in CHANNELS}


def test_a_log_of_several_files(tmp_path: Path) -> None:
    device = pa.array(["x", "y", "z", "x", "y"]).dictionary_encode()
    first = {"user_id": device, "item_id": [3, 1, 2, 3, 3], "rating": [5, 0, 0, 5, 0]}
    item = pa.array([4, 1], pa.uint16())  # the type may be another one in each file
    second = {"user_id": ["y", "w"], "item_id": item, "rating": [0, 5]}
    log = read(tmp_path, first, second)
    assert log == {
        "users": ["w", "x", "y", "z"],
        "items": [1, 2, 3, 4],
        "user": [1, 2, 3, 1, 2, 2, 0],
        "item": [2, 0, 1, 2, 2, 3, 0],
        "is_positive": [True, False, False, True, False, False, True],
        "strength": [1, 0, 0, 1, 0, 0, 1],
        "number": [0, 0, 0, 0, 0, 1, 1],
    }


def test_every_channel_of_any_type_becomes_a_bit_or_a_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    expected = {
        "like": [True, False, False],
        "share": [True, False, False],
        "bookmark": [True, False, False],
        "dislike": [False, False, False],
        "click_on_author": [False, True, True],
        "open_comments": [True, True, False],
        "timespent": [3, 255, 0],
        "place": [0, 1, 0],
        "platform": [0, 255, 1],
        "agent": [0, 255, 1],
    }
    table = pa.table(vk.channels_of(pa.table(ALL), CHANNELS, {}))
    assert (
        table.to_pydict() == channels_of(read(tmp_path, ALL | {"watched": [1, 2, 3]})) == expected
    )
    assert table.schema.types == [pa.bool_()] * 6 + [pa.uint8()] * 4
    watched = {"timespent": [255.9, 256.0, NAN, -1.0, 7.9, float("inf")]}
    assert channels_of(read(tmp_path, watched)) == {"timespent": [255, 255, 0, 0, 7, 255]}
    assert "timespent is above 255 s in 3 rows, which count as 255 s\n" in capsys.readouterr().out


def test_what_some_files_lack_is_left_out_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first = {"like": [True, True], "share": [True, True], "place": [1, 1], "timestamp": [2, 1]}
    log = read(tmp_path, first, {"share": [True]}, {"share": [False]})
    assert "timestamp" not in log
    assert log["user"] == [0, 1, 0, 0]  # in the order of the file
    assert channels_of(log) == {"share": [True, True, True, False]}
    assert log["strength"] == [1 + 1, 1 + 1, 1 + 1, 1]  # of share alone
    out = capsys.readouterr().out
    for number in (1, 2):
        assert f"{number}.parquet: no column like, place, timestamp, which other files have" in out


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"dislike": ["no"]}, "dislike is string; must be true/false or numbers"),
        ({"timespent": [True]}, "timespent is bool; must be numbers"),
        ({"agent": [[1]]}, "agent is list<element: int64>; must be numbers, strings or true/false"),
        ({"timestamp": [True]}, "timestamp is bool; must be numbers or timestamps"),
        ({"user_id": [1.0]}, "user_id is double; ids must be integers or strings"),
        ({"item_id": ["1"]}, "item_id is string, in "),
        ({"user_id": [1, None, None]}, "user_id is null in 2 of 3 rows; must be an id"),
        ({"user_id": pa.array([2**64 - 1], pa.uint64())}, "user_id: ids beyond int64; use one"),
    ],
)
def test_an_unfit_column_is_one_line(tmp_path: Path, columns: dict, expected: str) -> None:
    good = {name: [1] for name in columns}
    with pytest.raises(InputError) as error:
        read(tmp_path, good, columns)
    assert f".parquet: {expected}" in str(error.value)
    assert "\n" not in str(error.value)


def test_codes_of_known_values_go_to_no_others() -> None:
    """Values after the first 255, and new values for models that are trained, are unknown."""
    levels = {}
    for places, is_closed, codes in (
        (["b", None, "c"], False, [0, 255, 1]),
        (["c", "a", "b", None], True, [1, 255, 0, 255]),
        ([*map(str, range(257)), "c"], False, [*range(2, 255), 255, 255, 255, 255, 1]),
    ):
        table = pa.table({"place": places})
        found = vk.channels_of(table, ["place"], levels, is_closed)["place"]
        assert found.tolist() == codes
    assert levels["place"] == ["b", "c", *map(str, range(253))]


@pytest.mark.parametrize(
    ("values", "levels", "texts"),
    [
        ([10.0, 9.5, np.nan, None], ["9.5", "10"], ["10", "9.5", None, None]),
        (["b", "10", "9", "a b"], ["9", "10", "a b", "b"], ["b", "10", "9", "a b"]),
        ([True, None], ["true"], ["true", None]),
    ],
)
def test_category(values: list, levels: list[str], texts: list[str | None]) -> None:
    column = pa.chunked_array([values])
    result = vk.category(column, column)
    assert result.type == pa.dictionary(pa.int32(), pa.string())
    assert result.dictionary.to_pylist() == levels
    assert result.to_pylist() == texts
