"""Lists as rows: one list a user, the rows of a list contiguous; and the best of many scores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Block = TypeVar("Block")
Result = TypeVar("Result")


def starts_of(user: np.ndarray) -> np.ndarray:
    """The first row of every list: int64 (n_lists,), from the user of each row."""
    return np.flatnonzero(np.diff(user, prepend=-1))


def group_of(user: np.ndarray) -> np.ndarray:
    """The length of every list: int64 (n_lists,), from the user of each row."""
    return np.diff(np.append(starts_of(user), len(user)))


def list_of_row(group: np.ndarray) -> np.ndarray:
    """The list of each row, 0 for the first one: int64 (n_rows,), from the lengths of the lists."""
    return np.repeat(np.arange(len(group)), group)


def largest(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The n largest of each row of a float (n_rows, n_columns) matrix, by row, largest first; of
    equal ones that of the lowest column comes first, and stays where only one can. -inf is none.

    Returns row, place (0 is the largest) and column of each, int64; rows with fewer than n scores
    have fewer.
    """
    n_columns = scores.shape[1]
    if n_columns > n:  # all that can be among them: more than n only where the n-th is not alone
        least = np.partition(scores, n_columns - n, axis=1)[:, n_columns - n]
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
    """What the function makes of each block, in order; n_threads blocks are worked on at once, and
    few more are held.
    """
    with ThreadPoolExecutor(n_threads) as threads:
        waiting = deque()
        for block in blocks:
            waiting.append(threads.submit(function, block))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Lists:
    """The base of candidate lists and training examples.

    user  int32 (n_rows,): the rows of a user are contiguous
    """

    user: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        return starts_of(self.user)

    @property
    def group(self) -> np.ndarray:
        return group_of(self.user)

    @property
    def list_of_row(self) -> np.ndarray:
        return list_of_row(self.group)
