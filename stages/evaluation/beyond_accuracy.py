"""Popularity and diversity of the items of a list."""

from core.history import History
from core.top_lists import TopLists

import numpy as np
import pandas as pd
from scipy import sparse


def membership(lists: TopLists, users: np.ndarray, history: History) -> sparse.csr_array:
    """Return the items of each user's list as CSR float64 of ones (n_users, n_items).

    users  rows of users.parquet, ascending; all items of the lists must be in history.items
    """
    rows = np.flatnonzero(np.isin(lists.user, users))
    place = np.searchsorted(users, lists.user[rows]), history.item_of(lists.item[rows])
    return sparse.csr_array((np.ones(len(rows)), place), shape=(len(users), history.n_items))


def percentiles(positives: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Return the popularity percentile of each item, float64 (n_items,).

    It is the rank by positives among the known items, divided by their number: 1 is the most
    popular item, ties have the mean of their ranks, and new items have 0. Source: MeanPopRank of
    LensKit, with another scale.

    positives  int (n_items,), in the fold's history; is_known  bool (n_items,), as in History
    """
    found = np.zeros(len(positives))
    found[is_known] = pd.Series(positives[is_known]).rank(pct=True)
    return found


def popularity(matrix: sparse.csr_array, percentile: np.ndarray) -> np.ndarray:
    """Return the mean percentile of the items of each list, float64 (n_lists,); NaN if empty."""
    with np.errstate(invalid="ignore"):
        return (matrix @ percentile) / np.diff(matrix.indptr)


def diversity(matrix: sparse.csr_array, vectors: np.ndarray) -> np.ndarray:
    """Return 1 minus the mean cosine of all pairs of items of each list, float64 (n_lists,).

    NaN if fewer than two items have a vector. vectors  float (n_items, d), rows of length 1 or 0
    """
    n = matrix @ (np.abs(vectors).sum(axis=1) > 0)
    total = matrix @ vectors.astype(np.float64)  # |sum|^2 = n + sum of the cosines of all pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, 1 - ((total**2).sum(axis=1) - n) / (n * (n - 1)), np.nan)


def mean(values: np.ndarray) -> float:
    """Return the mean over the lists that have a value, or NaN if none has one."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
