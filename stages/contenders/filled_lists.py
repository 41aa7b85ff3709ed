"""The lists of one source, filled up with recent popular items: what a baseline recommends."""

import numpy as np

from evaluation.top_lists import TopLists
from folds.candidate_lists import Retrieved
from folds.history import History
from retrieval.source import TopN


def lists_of(
    history: History, baseline: TopN, users: np.ndarray, recent: Retrieved, k: int
) -> Retrieved:
    """The top k of these rows of users.parquet; items of the history, -1 where there are fewer
    than k unseen ones. `recent`, for the same users, fills up what the baseline leaves open.
    """
    known = history.user_of(users)
    is_warm = history.n_positives_of(users) > 0
    found = baseline(known[is_warm], k)
    item = np.concatenate([np.full((len(users), k), -1), recent.item], axis=1)
    item[is_warm, :k] = found.item
    score = np.concatenate([np.zeros((len(users), k)), np.zeros_like(recent.score)], axis=1)
    score[is_warm, :k] = found.score
    return first_k(item, score, k)


def first_k(item: np.ndarray, score: np.ndarray, k: int) -> Retrieved:
    """The first k distinct items of each row, -1 skipped."""
    order = np.argsort(item, axis=1, kind="stable")
    ordered = np.take_along_axis(item, order, 1)
    is_first = np.diff(ordered, axis=1, prepend=-2) != 0
    keep = np.empty_like(is_first)
    np.put_along_axis(keep, order, is_first & (ordered >= 0), 1)
    place = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    item = np.where(np.take_along_axis(keep, place, 1), np.take_along_axis(item, place, 1), -1)
    return Retrieved(item, np.take_along_axis(score, place, 1))


def as_rows(users: np.ndarray, found: Retrieved, items: np.ndarray) -> TopLists:
    """The same as rows; items int32: rows of items.parquet of the history's items."""
    row, place = np.nonzero(found.item >= 0)
    return TopLists(
        users[row],
        items[found.item[row, place]],
        (place + 1).astype(np.int16),
        found.score[row, place].astype(np.float32),
    )
