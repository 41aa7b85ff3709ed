"""The log of both VK layouts: its rows, their order, and its channels; categories."""

from pathlib import Path

from core.script import InputError
from core.tables import CHANNELS

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readers import vk
from readers.ids import Ids
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


def metadata_of(*ids: Ids) -> tuple:
    users, items = (
        pa.table({"id": of.values, name: np.arange(len(of), dtype="f4")})
        for of, name in zip(ids, ("age", "duration"), strict=True)
    )
    return users, items, None, None


def channels_of(log: dict[str, list]) -> dict[str, list]:
    return {name: values for name, values in log.items() if name in CHANNELS}


def test_a_log_of_several_files(tmp_path: Path) -> None:
    device = pa.array(["x", "y", "z", "x", "y"]).dictionary_encode()
    first = {"user_id": device, "item_id": [3, 1, 2, 3, 3], "rating": [5, 0, 0, 5, 0]}
    second = {"user_id": ["y", "w"], "item_id": [4, 1], "rating": [0, 5]}
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


def test_rows_shuffled_within_their_file_give_the_same_log(tmp_path: Path) -> None:
    """Codes of settings follow the order of time, too. Files stay in order."""
    time = np.arange(956_703_932, 956_703_932 + 12)
    files = [
        {"user_id": [5, 6, 7, 8], "place": [3, 1, 3, 2], "like": [0, 1, 0, 1], "timestamp": of}
        for of in (time[:4], time[4:8] - 2)
    ]
    expected = read(tmp_path, *files)
    assert expected["timestamp"] == [*time[:4], *time[2:6]]
    order = [2, 0, 3, 1]
    shuffled = [{name: np.array(of)[order] for name, of in columns.items()} for columns in files]
    shuffled[1]["timestamp"] = shuffled[1]["timestamp"] * 1000
    ids = {"item_id": np.array(order), "rating": np.array(order) + 1}
    result = read(tmp_path, *(columns | ids for columns in shuffled))
    assert result == expected
    assert result["place"] == [0, 1, 0, 2] * 2


def test_every_channel_of_any_type_becomes_a_bit_or_a_byte(tmp_path: Path) -> None:
    table = pa.table(vk.channels_of(pa.table(ALL), CHANNELS, {}))
    assert table.to_pydict() == {
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
    assert table.schema.types == [pa.bool_()] * 6 + [pa.uint8()] * 4
    assert channels_of(read(tmp_path, ALL | {"watched": [1, 2, 3]})) == table.to_pydict()


def test_seconds_are_at_most_255(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    watched = [255.9, 256.0, NAN, -1.0, 7.9, float("inf")]
    assert channels_of(read(tmp_path, {"timespent": watched})) == {
        "timespent": [255, 255, 0, 0, 7, 255]
    }
    line = "timespent is above 255 s in 3 rows, which count as 255 s\n"
    assert line in capsys.readouterr().out


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
        ({"open_comments": [[1]]}, "open_comments is list<element: int64>; must be true/false or"),
        ({"timespent": [True]}, "timespent is bool; must be numbers"),
        ({"agent": [[1]]}, "agent is list<element: int64>; must be numbers, strings or true/false"),
        ({"timestamp": [True]}, "timestamp is bool; must be numbers or timestamps"),
    ],
)
def test_a_column_of_another_kind_is_one_line(tmp_path: Path, columns: dict, expected: str) -> None:
    good = {name: [1] for name in columns}
    with pytest.raises(InputError) as error:
        read(tmp_path, good, columns)
    assert str(error.value).startswith(f"{tmp_path}/1.parquet: {expected}")
    assert "\n" not in str(error.value)


def test_codes_of_known_values_go_to_no_others() -> None:
    levels = {}
    table = pa.table({"like": [True, False, True], "place": ["b", None, "c"]})
    vk.channels_of(table, ["like", "place"], levels)
    assert levels == {"place": ["b", "c"]}
    table = pa.table({"place": ["c", "a", "b", None]})
    codes = vk.channels_of(table, ["place"], levels, is_closed=True)["place"]
    assert codes.to_pylist() == [1, 255, 0, 255]
    assert levels == {"place": ["b", "c"]}


def test_values_after_the_first_255_are_unknown() -> None:
    levels = {}
    for place, codes in (
        (np.arange(258), [*range(255), 255, 255, 255]),
        ([255, 254, 0], [255, 254, 0]),
    ):
        found = vk.channels_of(pa.table({"place": place}), ["place"], levels)
        assert found["place"].to_pylist() == codes


@pytest.mark.parametrize(
    ("values", "levels", "texts"),
    [
        ([10, 9, None, 10], ["9", "10"], ["10", "9", None, "10"]),
        ([10.0, 9.5, np.nan, None], ["9.5", "10"], ["10", "9.5", None, None]),
        (["b", "10", "9", "a b"], ["9", "10", "a b", "b"], ["b", "10", "9", "a b"]),
        ([True, None, False], ["false", "true"], ["true", None, "false"]),
        ([None, None], [], [None, None]),
    ],
)
def test_category(values: list, levels: list[str], texts: list[str | None]) -> None:
    column = pa.chunked_array([values])
    result = vk.category(column, column)
    assert result.type == pa.dictionary(pa.int32(), pa.string())
    assert result.dictionary.to_pylist() == levels
    assert result.to_pylist() == texts
