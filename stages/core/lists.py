"""Lists as contiguous rows, one list per user, and the largest of many scores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def starts_of(user: np.ndarray) -> np.ndarray:
    """Return the first row of each list, int64 (n_lists,), from the user of each row."""
    return np.flatnonzero(np.diff(user, prepend=-1))


def list_of_row(group: np.ndarray) -> np.ndarray:
    """Return the list number of each row, int64 (n_rows,), from the lengths of the lists."""
    return np.repeat(np.arange(len(group)), group)


def largest(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, place and column, int64, of the n largest scores of each row, by row and place.

    Place 0 is the largest. Of equal scores, the lower column comes first. -inf means no score, so a
    row may have fewer than n.

    scores  float (n_rows, n_columns)
    """
    row, column = shortlist(scores, n)
    return ordered(scores[row, column], row, column, len(scores), n)


def shortlist(
    scores: np.ndarray, n: int, margin: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and column, int64, of the n largest scores of each row and of a few more, by
    row and column: of all that are at most `margin`, float (n_rows,), less than the n-th largest.
    """
    n_columns = scores.shape[1]
    if n_columns > n:
        depth = max(1, n_columns // (4 * n))
        width = n_columns // depth
        tops = scores[:, : depth * width].reshape(-1, depth, width).max(axis=1)
        least = np.partition(tops, width - n, axis=1)[:, width - n]  # n scores or more reach it
        least = np.maximum(least - margin, np.finfo(scores.dtype).min, dtype=scores.dtype)
        found = np.flatnonzero(scores >= least[:, None])
    else:
        found = np.flatnonzero(scores > -np.inf)
    return np.divmod(found, n_columns)


def ordered(
    scores: np.ndarray, row: np.ndarray, column: np.ndarray, n_rows: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `largest` does, given some scores, (n_scores,), by row and column."""
    order = np.lexsort((-scores, row))  # stable
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(n_rows))[row]
    is_kept = place < n
    return row[is_kept], place[is_kept], column[is_kept]


def side_by_side(function: Callable, blocks: Iterable, n_threads: int) -> Iterator:
    """Yield function(block) in order, computed in parallel with n_threads blocks in memory."""
    with ThreadPoolExecutor(n_threads) as threads:
        waiting = deque()
        for block in blocks:
            waiting.append(threads.submit(function, block))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Lists:
    """Base class of candidate lists and training examples."""

    user: np.ndarray  # int32 (n_rows,): the rows of a user are contiguous

    @property
    def starts(self) -> np.ndarray:
        return starts_of(self.user)

    @property
    def group(self) -> np.ndarray:
        """The length of each list, int64 (n_lists,)."""
        return np.diff(np.append(self.starts, len(self.user)))

    @property
    def list_of_row(self) -> np.ndarray:
        return list_of_row(self.group)
