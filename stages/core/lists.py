"""Lists as rows: one list a user, the rows of a list contiguous; and the best of many scores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Block = TypeVar("Block")
Result = TypeVar("Result")


def starts_of(user: np.ndarray) -> np.ndarray:
    """Return the first row of every list, int64 (n_lists,), given the user of each row."""
    return np.flatnonzero(np.diff(user, prepend=-1))


def group_of(user: np.ndarray) -> np.ndarray:
    """Return the length of every list, int64 (n_lists,), given the user of each row."""
    return np.diff(np.append(starts_of(user), len(user)))


def list_of_row(group: np.ndarray) -> np.ndarray:
    """Return the list of each row, counted from 0, int64 (n_rows,), given the lists' lengths."""
    return np.repeat(np.arange(len(group)), group)


def largest(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the n largest scores of each row of a float (n_rows, n_columns) matrix: their row,
    place (0 is the largest) and column, int64, by row and place. Ties go to the lower column. -inf
    is no score, so a row may have fewer than n.
    """
    n_columns = scores.shape[1]
    if n_columns > n:  # a few more than the n largest: all that are at least as large as `least`
        depth = max(1, n_columns // (4 * n))
        width = n_columns // depth
        tops = scores[:, : depth * width].reshape(-1, depth, width).max(axis=1)
        least = np.partition(tops, width - n, axis=1)[:, width - n]  # n scores or more reach it
        least = np.maximum(least, np.finfo(scores.dtype).min)
        found = np.flatnonzero(scores >= least[:, None])
    else:
        found = np.flatnonzero(scores > -np.inf)
    row, column = np.divmod(found, n_columns)
    order = np.lexsort((-scores[row, column], row))  # stable
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(len(scores)))[row]
    is_kept = place < n
    return row[is_kept], place[is_kept], column[is_kept]


def side_by_side(
    function: Callable[[Block], Result], blocks: Iterable[Block], n_threads: int
) -> Iterator[Result]:
    """Yield the function's result for each block, in order; about n_threads blocks are held."""
    with ThreadPoolExecutor(n_threads) as threads:
        waiting = deque()
        for block in blocks:
            waiting.append(threads.submit(function, block))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Lists:
    """The base of candidate lists and training examples."""

    user: np.ndarray  # int32 (n_rows,): the rows of a user are contiguous

    @property
    def starts(self) -> np.ndarray:
        return starts_of(self.user)

    @property
    def group(self) -> np.ndarray:
        return group_of(self.user)

    @property
    def list_of_row(self) -> np.ndarray:
        return list_of_row(self.group)
