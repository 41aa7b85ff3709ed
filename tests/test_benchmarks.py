"""The benchmarks run."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clone import Clone
from experiments.outcome import Outcome
from peers import mean_ap, top_k
from peers_table import rows_of
from protocols import Protocol, cut, ndcg, padded
from split import window_of_rows


def test_the_same_system_is_compared_with_itself(clone: Clone) -> None:
    shown = clone.run(sys.executable, "tests/benchmarks/same_system.py", "--n", "3").stdout
    lines = shown[shown.index("3 systems, 3 pairs, ") :].splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == ["map", "ndcg"]
    assert all("% of pairs called different; standard deviation 0.0" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("is_lenskit", "relevant", "in_window"),
    [(False, {"cy", "bt"}, {"cy", "bt"}), (True, {"bt"}, {"cx", "cy", "bt"})],
)
def test_the_last_window_is_the_published_holdout(
    is_lenskit: bool, relevant: set[str], in_window: set[str]
) -> None:
    """The cut is at 4.9 of the times 0 to 7. User c is cold: only LensKit leaves c out."""
    log = pd.DataFrame({"user_id": [*"aababccb"], "item_id": [*"xyzwuxyt"], "timestamp": range(8)})
    known, later, targets = cut(log, Protocol(1, 0.3, 2, is_lenskit, (0, 0, 0), {}, {}))
    assert {*(targets["user_id"] + targets["item_id"])} == relevant
    table = padded(known, later, 3)
    window, _ = window_of_rows(pa.table({"user": np.zeros(len(table))}), 3)
    first = pd.Series(window).groupby((table["user_id"] + table["item_id"]).to_numpy()).min()
    assert {*first[first == 2].index} == in_window
    assert len(first) == len(log)


def test_published_ndcg() -> None:
    hits, n_relevant, third = np.array([[True, False, True]]), np.array([4]), 1 / np.log2(3)
    found = [ndcg(hits, n_relevant, is_lenskit)[0] for is_lenskit in (False, True)]
    assert found == pytest.approx(
        [(1 + 1 / 2) / (1 + third + 1 / 2), (1 + third) / (2 + third + 1 / 2)]
    )


def test_lists_of_peers() -> None:
    """User 1 has seen item 7, unliked, and gets the next one. User 2 is cold: item 9 is popular."""
    columns = ["user", "item", "window", "is_positive"]
    rows = [(1, 8, 0, True), (1, 7, 3, False), (3, 9, 3, True), (4, 9, 3, True), (4, 6, 3, True)]
    history = pd.DataFrame(rows, columns=columns)
    lists = pd.DataFrame({"user": 1, "item": [7, 5, 4], "rank": [1, 2, 3]})
    top = top_k(lists, history, np.array([1, 2]), 2)
    assert top.values.tolist() == [[1, 5, 1], [1, 4, 2], [2, 9, 1], [2, 6, 2]]
    relevant = pd.DataFrame([(1, 4), (2, 9), (2, 6), (2, 3), (5, 9)], columns=["user", "item"])
    assert mean_ap(top, relevant, 2) == pytest.approx(((1 / 2) / 1 + (1 + 1) / 2 + 0) / 3)


def test_table_of_peers() -> None:
    """A verdict needs a significant difference, of either sign."""
    params = {"evaluate.k": 2, "evaluate.n_resamples": 200, "seed": 1}
    old, noise = np.linspace(0.2, 0.8, 40), np.tile([0.1, -0.1], 20)

    def outcome(name: str, ap: np.ndarray) -> Outcome:
        columns = {"user_id": range(40), "n_relevant": [1] * 40, "ap": ap, "ndcg": ap / 2}
        columns |= {"fold": ["test"] * 40, "window": [3] * 40}
        return Outcome(name, "", params, {}, "", pa.table(columns), has_seeds=False)

    given = {"hybrid": old, "high": old + 0.1, "low": old / 2, "same": old + noise}
    rows = rows_of([outcome(*one) for one in given.items()], "test", "all")
    assert [row.get("verdict") for row in rows] == [None, "won", "lost", "even"]
    assert [row["ndcg@2"] for row in rows[:3]] == pytest.approx([0.25, 0.3, 0.125])
    assert rows[2]["difference"] == pytest.approx(0.25 - 0.5)
