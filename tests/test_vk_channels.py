"""Feedback channels of a log: what is kept of them, in which form, and a line for what is not."""

import json
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from folds.tables import CHANNELS, LEVELS
from readers import parquet, vk_log
from readers.positive_rule import Rule
from readers.vk_channels import Channels, Levels

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


def read(folder: Path, *files: dict, positive: str = "rating > 0") -> vk_log.Log:
    """The log of files with these columns beside ids and a rating."""
    paths = []
    for number, columns in enumerate(files):
        rows = np.arange(len(next(iter(columns.values()))))
        ids = {"user_id": rows, "item_id": rows, "rating": rows + 1}
        paths.append(folder / f"{number}.parquet")
        pq.write_table(pa.table(ids | columns), paths[-1])
    return vk_log.read_log(paths, Rule.parse(positive))


def lists(channels: dict[str, pa.ChunkedArray]) -> dict[str, list]:
    return {name: values.to_pylist() for name, values in channels.items()}


def test_every_channel_of_any_type_becomes_a_bit_or_a_byte(tmp_path: Path) -> None:
    channels = read(tmp_path, ALL).channels
    assert list(channels) == list(CHANNELS)
    assert lists(channels) == {
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
    bits = [values.type for values in channels.values()]
    assert bits == [pa.bool_()] * 6 + [pa.uint8()] * 4


def test_a_log_without_channels_has_none(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert read(tmp_path, {"stars": [1, 2]}).channels == {}
    assert capsys.readouterr().out == ""


def test_other_columns_are_not_kept(tmp_path: Path) -> None:
    log = read(tmp_path, {"like": [True], "watched": [1]}, positive="watched > 0")
    assert list(log.channels) == ["like"]


def test_channels_in_batches_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes of settings go on from batch to batch and from file to file, also of another width."""
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    first = {"place": pa.array([9, 8, 7], pa.uint8()), "like": [True, False, True]}
    second = {"place": pa.array([7, 6, 9], pa.int64()), "like": [1, 0, 0]}
    channels = read(tmp_path, first, second).channels
    assert lists(channels) == {
        "like": [True, False, True, True, False, False],
        "place": [0, 1, 2, 2, 3, 0],
    }


def test_seconds_are_at_most_255(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    watched = [255.9, 256.0, NAN, -1.0, 7.9, float("inf")]
    assert lists(read(tmp_path, {"timespent": watched}).channels) == {
        "timespent": [255, 255, 0, 0, 7, 255]
    }
    line = "timespent is above 255 s in 3 rows, of which 255 s count in the family channels\n"
    assert line in capsys.readouterr().out


def test_what_some_files_lack_is_left_out_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    files = {"like": [True], "share": [True], "place": [1]}, {"share": [True]}, {"share": [False]}
    log = read(tmp_path, *files)
    assert lists(log.channels) == {"share": [True, True, False]}
    assert log.columns["strength"].tolist() == [1 + 1, 1 + 1, 1]  # of share alone, as before
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        f"{tmp_path}/{number}.parquet: no column like, place, as other files have; left out of"
        " all files, as a channel and as strength of feedback"
        for number in (1, 2)
    ]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"dislike": ["no"]}, "dislike is string; must be true/false or numbers"),
        ({"open_comments": [[1]]}, "open_comments is list<element: int64>; must be true/false or"),
        ({"timespent": ["9 s"]}, "timespent is string; must be numbers"),
        ({"timespent": [True]}, "timespent is bool; must be numbers"),
        ({"agent": [[1]]}, "agent is list<element: int64>; must be numbers, strings or true/false"),
    ],
)
def test_a_column_of_another_kind_is_one_line(tmp_path: Path, columns: dict, expected: str) -> None:
    good = {name: [1] for name in columns}
    with pytest.raises(InputError) as error:
        read(tmp_path, good, columns)
    assert str(error.value).startswith(f"{tmp_path}/1.parquet: {expected}")
    assert "\n" not in str(error.value)


def test_codes_do_not_depend_on_what_comes_later() -> None:
    past = pa.chunked_array([["b", None, "c"]])
    alone, followed = Levels(), Levels()
    assert alone.codes(past).tolist() == followed.codes(past).tolist() == [0, 255, 1]
    assert followed.codes(pa.chunked_array([["a", "c", "b"]])).tolist() == [2, 1, 0]


def test_codes_of_known_values_go_to_no_others() -> None:
    """By way of the JSON that the tables keep of them."""
    channels = Channels(["like", "place"])
    channels.add(pa.table({"like": [True, False, True], "place": ["b", None, "c"]}))
    known = json.loads(channels.metadata()[LEVELS])
    assert known == {"place": ["b", "c"]}
    again = Channels(["place"], known)
    again.add(pa.table({"place": ["c", "a", "b", None]}))
    assert again.columns()["place"].to_pylist() == [1, 255, 0, 255]
    assert Channels(["like"]).metadata() == {}


def test_more_values_than_codes(capsys: pytest.CaptureFixture) -> None:
    """The value 255 is the 256th; what came before keeps its code."""
    channels = Channels(["place"])
    channels.add(pa.table({"place": np.arange(258)}))
    channels.add(pa.table({"place": [255, 254, 0]}))
    codes = channels.columns()["place"].to_pylist()
    assert codes == [*range(255), 255, 255, 255, 255, 254, 0]
    line = "place has more than 255 values; 4 rows with one that came later count as unknown in the"
    assert line in capsys.readouterr().out
