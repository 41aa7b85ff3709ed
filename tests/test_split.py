"""Windows, the order by user, and what is kept of a repeated pair."""

import json
from pathlib import Path

from core.history import repeats, tied_share
from core.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import split
from split import report_ties, summary, window_of_rows

NO, YES = False, True


def interactions(n_rows: int, **columns: list) -> pa.Table:
    return pa.table({"user": pa.array(np.zeros(n_rows, dtype=np.int32)), **columns})


WEEKS = {"week": pa.array([0, 2, 2], pa.int16())}


@pytest.mark.parametrize(
    ("table", "n_parts", "expected", "n_windows"),
    [
        (interactions(10), 3, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2], 3),  # the first are larger
        (interactions(3), 4, [0, 1, 2], 4),
        (interactions(9, is_test=[NO] * 7 + [YES] * 2), 3, [0, 0, 0, 1, 1, 2, 2, 3, 3], 4),
        # empty weeks count, also at the end
        (interactions(3, **WEEKS).replace_schema_metadata({"n_weeks": "5"}), 20, [0, 2, 2], 5),
    ],
)
def test_windows_are_equal_parts_and_a_test_file_or_weeks(
    table: pa.Table, n_parts: int, expected: list[int], n_windows: int
) -> None:
    window, n = window_of_rows(table, n_parts)
    assert (window.tolist(), window.dtype, n) == (expected, np.int16, n_windows)


def test_pairs_of_large_numbers_are_not_confused() -> None:
    """With 65 536 items, the users 0 and 65 536 would be 2**32 apart."""
    user, item = np.array([0, 65_536], np.int32), np.array([65_535, 65_535], np.int32)
    assert not repeats(user, item).any()


def test_summary_of_windows_with_and_without_times() -> None:
    """An empty window has a row, and begins with the next one or the last."""
    table = pa.table({"user": [0, 0, 1], "item": [5, 6, 5], "is_positive": [NO, YES, YES]})
    columns = ["window", "n_interactions", "n_positives", "n_users", "n_items"]
    expected = [[0, 2, 1, 1, 2], [1, 0, 0, 0, 0], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0]]
    window = np.array([0, 0, 2])
    frame = summary(window, 4, table)
    assert frame.columns.tolist() == columns
    assert frame.to_numpy().tolist() == expected
    day = 86_400
    frame = summary(window, 4, table.append_column("timestamp", [[100, 100 + 3 * day, 5 * day]]))
    assert frame[columns].to_numpy().tolist() == expected
    assert frame["n_days"].tolist() == [3.0, 0.0, 0.0, 0.0]
    assert frame["start"].tolist() == [100, 5 * day, 5 * day, 5 * day]
    weeks = table.replace_schema_metadata({"n_weeks": "4", "weeks": '{"start": [7, 8, 9, 10]}'})
    assert summary(window, 4, weeks)["start"].tolist() == [7, 8, 9, 10]


@pytest.mark.parametrize(
    ("timestamp", "n_tied", "line"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 0], ""),
        ([9] * 8, [0, 8, 8, 8], "3 of 3 window edges are between equal timestamps, which 100% of"),
        (
            [1, 2, 2, 3, 4, 4, 5, 6],
            [0, 2, 0, 0],
            "1 of 3 window edges are between equal timestamps, which 25% of the interactions have;"
            " the order of the file decides their windows\n",
        ),
    ],
)
def test_ties_over_the_edges_of_windows_are_told(
    timestamp: list, n_tied: list, line: str, capsys: pytest.CaptureFixture
) -> None:
    columns = {"user": [0] * 8, "item": [0] * 8, "is_positive": [YES] * 8, "timestamp": timestamp}
    counts = summary(np.repeat(np.arange(4), 2), 4, pa.table(columns))
    assert counts["n_tied"].tolist() == n_tied
    assert tied_share(counts) == max(n_tied) / 8  # windows may share the time
    report_ties(counts)
    out = capsys.readouterr().out
    assert line in out
    assert out.count("\n") == bool(line)


def write_interactions(folder: Path, strength: list[int]) -> None:
    """User 1 watches item 4 three times."""
    (folder / "params.yaml").write_text(
        "seed: 1\nthreads: 1\nfolds: [test, validation, label_1]\nsplit:\n  windows: 4\n"
    )
    (folder / "data/tables").mkdir(parents=True)
    columns = {
        "user": pa.array([1, 0, 1, 1, 0, 1], pa.int32()),
        "item": pa.array([4, 4, 5, 4, 6, 4], pa.int32()),
        "is_positive": [value > 0 for value in strength],
        "strength": pa.array(strength, pa.uint8()),
        "timespent": pa.array([10, 11, 12, 13, 14, 15], pa.uint8()),
    }
    pq.write_table(pa.table(columns), folder / "data/tables/interactions.parquet")


def test_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_interactions(tmp_path, [0, 1, 0, 2, 0, 1])
    split.main()
    windows = json.loads(Path("data/split/folds.json").read_text())
    assert windows == {"test": 3, "validation": 2, "label_1": 1}
    table = pq.read_table("data/split/interactions.parquet")
    assert table.to_pydict() == {
        "user": [0, 0, 1, 1, 1, 1],
        "item": [4, 6, 4, 5, 4, 4],
        "is_positive": [YES, NO, NO, NO, YES, YES],
        "strength": [1, 0, 0, 0, 2, 1],
        "window": [0, 2, 0, 1, 1, 3],
        "is_repeat": [NO, NO, NO, NO, YES, YES],
    }
    assert [*map(str, table.schema.types)] == ["int32", "int32", "bool", "uint8", "int16", "bool"]
    assert pd.read_csv("data/split/windows.csv")["n_interactions"].tolist() == [2, 2, 1, 1]
    assert "2 interactions repeat an earlier user-item pair" in capsys.readouterr().out
    channels = pq.read_table("data/split/channels.parquet").to_pydict()
    assert channels == {"timespent": [11, 14, 10, 12, 13, 15]}


def test_nothing_positive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_interactions(tmp_path, [0, 0, 0, 0, 0, 0])
    with pytest.raises(InputError, match="data.positive: no interaction is positive"):
        split.main()
    assert not (tmp_path / "data/split").exists()
