"""The largest scores of each row, ties included; blocks side by side."""

import threading
from collections.abc import Iterator

from core.lists import largest, side_by_side

import numpy as np
import pytest


def rows_of(scores: np.ndarray, n: int) -> list[list[int]]:
    """The columns named for each row, in order of their places, which must be 0, 1, …"""
    row, place, column = largest(scores, n)
    lists = [column[row == number].tolist() for number in range(len(scores))]
    assert place.tolist() == [number for named in lists for number in range(len(named))]
    assert row.tolist() == sorted(row.tolist())
    return lists


@pytest.mark.parametrize("n", [1, 3, 8, 20, 50])
@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_a_plain_sort(n: int, levels: int, dtype: type) -> None:
    """With few distinct values most are ties, also with the last item that is kept."""
    rng = np.random.default_rng(levels)
    scores = rng.integers(-levels, levels, (40, 20)).astype(dtype)
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    expected = [
        [c for c in sorted(range(20), key=lambda c, row=row: (-row[c], c)) if row[c] > -np.inf][:n]
        for row in scores
    ]
    assert rows_of(scores, n) == expected


def test_rows_of_little_and_no_rows() -> None:
    """The lowest finite score is a score."""
    scores = np.array([[-np.inf, -np.inf], [-np.inf, np.finfo(np.float32).min]], dtype=np.float32)
    assert rows_of(scores, 1) == rows_of(scores, 5) == [[], [1]]
    assert rows_of(scores[:0], 1) == []
    assert rows_of(np.zeros((2, 0)), 3) == [[], []]


# --- blocks side by side


def test_blocks_are_worked_on_at_once() -> None:
    both = threading.Barrier(2)
    list(side_by_side(lambda _: both.wait(timeout=30), range(4), 2))  # or it breaks


def test_no_more_blocks_are_held_than_are_worked_on() -> None:
    """Memory must not grow with the number of blocks."""
    read = []

    def blocks() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    for done, _ in enumerate(side_by_side(lambda number: number, blocks(), 2), start=1):
        assert len(read) <= done + 2
