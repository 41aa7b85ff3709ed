"""Windows, the order by user, and what is kept of a repeated pair."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import split
from split import order_by_user, repeats, summary, window_of_rows
from stage import InputError


def interactions(n_rows: int, **columns: list) -> pa.Table:
    return pa.table({"user": pa.array(np.zeros(n_rows, dtype=np.int32)), **columns})


@pytest.mark.parametrize(("n_rows", "n_parts"), [(10, 3), (9, 3), (11, 4), (5, 5), (3, 4)])
def test_equal_parts_are_those_of_numpy(n_rows: int, n_parts: int) -> None:
    window, n_windows = window_of_rows(interactions(n_rows), n_parts)
    parts = np.array_split(np.arange(n_rows), n_parts)
    expected = [number for number, part in enumerate(parts) for _ in part]
    assert (window.tolist(), n_windows) == (expected, n_parts)
    assert window.dtype == np.int16


def test_a_test_file_is_one_window_more() -> None:
    is_test = [False] * 7 + [True] * 2
    window, n_windows = window_of_rows(interactions(9, is_test=is_test), 3)
    assert (window.tolist(), n_windows) == ([0, 0, 0, 1, 1, 2, 2, 3, 3], 4)
    assert window.dtype == np.int16


def test_weeks_are_windows() -> None:
    """Empty weeks count, also at the end."""
    week = pa.array([0, 2, 2], pa.int16())
    table = interactions(3, week=week).replace_schema_metadata({"n_weeks": "5"})
    window, n_windows = window_of_rows(table, n_parts=20)
    assert (window.tolist(), n_windows) == ([0, 2, 2], 5)
    assert window.dtype == np.int16


@pytest.mark.parametrize("seed", range(10))
def test_order_by_user_is_stable(seed: int) -> None:
    user = np.random.default_rng(seed).integers(0, 7, 200).astype(np.int32)
    np.testing.assert_array_equal(order_by_user(user), np.argsort(user, kind="stable"))


def test_order_by_user_of_one_row() -> None:
    assert order_by_user(np.array([4], dtype=np.int32)).tolist() == [0]


NO, YES = False, True


@pytest.mark.parametrize(
    ("is_positive", "kept", "repeated"),
    [
        ([NO, NO, NO], [YES, NO, NO], [NO, NO, NO]),
        ([YES, NO, YES], [YES, NO, NO], [NO, NO, NO]),
        ([NO, YES, YES], [YES, YES, NO], [NO, YES, NO]),
        ([NO, NO, YES], [YES, NO, YES], [NO, NO, YES]),
    ],
)
def test_one_pair_three_times(
    is_positive: list[bool], kept: list[bool], repeated: list[bool]
) -> None:
    same = np.array([3, 3, 3], dtype=np.int32)
    keep, is_repeat = repeats(same, same, np.array(is_positive))
    assert (keep.tolist(), is_repeat.tolist()) == (kept, repeated)


def test_distinct_pairs_are_all_kept() -> None:
    keep, is_repeat = repeats(np.array([0, 0, 1]), np.array([1, 0, 1]), np.array([NO, YES, NO]))
    assert (keep.tolist(), is_repeat.tolist()) == ([YES] * 3, [NO] * 3)


def test_pairs_of_large_numbers_are_not_confused() -> None:
    """(1, 0) and (0, 2**31 - 1 + 1) would be the same key in int32."""
    user, item = np.array([0, 2, 4], np.int32), np.array([2**31 - 2] * 3, np.int32)
    assert repeats(user, item, np.zeros(3, dtype=bool))[0].all()


@pytest.mark.parametrize("seed", range(30))
def test_repeats_equal_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    user = np.sort(rng.integers(0, 4, 40)).astype(np.int32)
    item = rng.integers(0, 5, 40).astype(np.int32)
    is_positive = rng.random(40) < 0.3
    seen, liked, keep, is_repeat = set(), set(), [], []
    for pair, positive in zip(zip(user, item, strict=True), is_positive, strict=True):
        late = bool(positive) and pair in seen and pair not in liked
        keep.append(pair not in seen or late)
        is_repeat.append(late)
        seen.add(pair)
        if positive:
            liked.add(pair)
    result = repeats(user, item, is_positive)
    assert (result[0].tolist(), result[1].tolist()) == (keep, is_repeat)


def test_summary_has_a_row_for_an_empty_window() -> None:
    table = pa.table({"user": [0, 0, 1], "item": [5, 6, 5], "is_positive": [NO, YES, YES]})
    frame = summary(np.array([0, 0, 2]), 4, table)
    assert frame.columns.tolist() == [
        "window",
        "n_interactions",
        "n_positives",
        "n_users",
        "n_items",
    ]
    assert frame.to_numpy().tolist() == [
        [0, 2, 1, 1, 2],
        [1, 0, 0, 0, 0],
        [2, 1, 1, 1, 1],
        [3, 0, 0, 0, 0],
    ]


def write_interactions(folder: Path, strength: list[int]) -> None:
    (folder / "params.yaml").write_text("split:\n  windows: 3\n")
    (folder / "data").mkdir()
    columns = {
        "user": pa.array([1, 0, 1, 1, 0, 1], pa.int32()),
        "item": pa.array([4, 4, 5, 4, 6, 4], pa.int32()),
        "is_positive": [value > 0 for value in strength],
        "strength": pa.array(strength, pa.uint8()),
    }
    pq.write_table(pa.table(columns), folder / "data/interactions.parquet")


def test_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """User 1 watches item 4 three times and likes it at the second time."""
    monkeypatch.chdir(tmp_path)
    write_interactions(tmp_path, [0, 1, 0, 2, 0, 1])
    split.main()
    table = pq.read_table("data/split/interactions.parquet")
    assert table.to_pydict() == {
        "user": [0, 0, 1, 1, 1],
        "item": [4, 6, 4, 5, 4],
        "is_positive": [YES, NO, NO, NO, YES],
        "strength": [1, 0, 0, 0, 2],
        "window": [0, 2, 0, 1, 1],
        "is_repeat": [NO, NO, NO, NO, YES],
    }
    assert [str(kind) for kind in table.schema.types] == [
        "int32",
        "int32",
        "bool",
        "uint8",
        "int16",
        "bool",
    ]
    assert pd.read_csv("data/split/windows.csv")["n_interactions"].tolist() == [2, 2, 2]
    assert "1 repeated interactions" in capsys.readouterr().out


def test_nothing_positive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_interactions(tmp_path, [0, 0, 0, 0, 0, 0])
    with pytest.raises(InputError, match="data.positive: no interaction is positive"):
        split.main()
    assert not (tmp_path / "data/split").exists()
