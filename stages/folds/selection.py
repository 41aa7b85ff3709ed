"""The largest scores of each row of a matrix."""

import numpy as np


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
