"""One row per judged list: what every model made of it, and what the lists of ALS and of the hybrid
are like.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from evaluation import metrics
from evaluation.judge import als_lists_and_counts, judge, recommended_lists
from evaluation.top_lists import TopLists
from folds.history import load_fold

PER_USER = "data/per_user/{fold}.parquet"
SHOWN = ("als", "hybrid")  # whose lists are looked into


def list_table(
    fold: str, user_ids: pa.ChunkedArray, item_ids: pa.ChunkedArray, vectors: np.ndarray, k: int
) -> pd.DataFrame:
    """The lists of a fold, by user.

    vectors  float32 (n_items, d): embeddings of items.parquet, rows of length 1, or of 0 for an
             item without one
    Columns: fold; user, a row of users.parquet; is_cold, n_positives (in the history), n_relevant,
    n_found (of them among the candidates); ap_MODEL, ndcg_MODEL, ap_ceiling; for MODEL als and
    hybrid: popular_MODEL and tail_MODEL, AP when only the relevant items among the popular tenth of
    the catalogue, or only the others, count, NaN without one; popularity_MODEL and diversity_MODEL,
    as in the functions of these names.
    """
    history, target = load_fold(fold)
    als, counts = als_lists_and_counts(fold, target, k)
    lists = {"als": als, "hybrid": recommended_lists(fold, user_ids, item_ids)}
    judged = judge(history, target, lists, [], counts, k)
    share = np.zeros(len(item_ids))
    share[history.items] = np.bincount(history.positives.indices, minlength=history.n_items)
    share /= history.n_users
    columns = {
        "fold": fold,
        "user": judged.user,
        "n_positives": judged.n_positives,
        "n_found": judged.n_found,
        "ap_ceiling": metrics.oracle_average_precision(judged.n_found, judged.n_relevant, k),
    }
    n_tail = judged.n_relevant - judged.n_popular
    for name in SHOWN:
        popular = judged.popular_hits[name]
        columns |= {
            f"popular_{name}": _average_precision(popular, judged.n_popular),
            f"tail_{name}": _average_precision(judged.hits[name] & ~popular, n_tail),
            f"popularity_{name}": popularity(lists[name], judged.user, share),
            f"diversity_{name}": diversity(lists[name], judged.user, vectors),
        }
    of_models = pd.read_parquet(PER_USER.format(fold=fold)).drop(columns="user_id")
    return pd.concat([pd.DataFrame(columns), of_models], axis=1)


def _average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """AP@k of every list, NaN where nothing is relevant."""
    of_any = metrics.average_precision(hits, np.maximum(1, n_relevant))
    return np.where(n_relevant > 0, of_any, np.nan)


def _matrix(lists: TopLists, users: np.ndarray, n_items: int) -> sparse.csr_array:
    """CSR float64 (len(users), n_items) of ones: the lists of these users (ascending)."""
    row = np.searchsorted(users, lists.user)
    row[row == len(users)] = 0
    is_wanted = users[row] == lists.user
    place = row[is_wanted], lists.item[is_wanted]
    return sparse.csr_array((np.ones(len(place[0])), place), shape=(len(users), n_items))


def popularity(lists: TopLists, users: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The mean over the items of each user's list of the share of the history's users who liked
    it: float64 (len(users),), NaN without a list. share  float64 (n_items,)
    """
    matrix = _matrix(lists, users, len(share))
    with np.errstate(invalid="ignore"):
        return (matrix @ share) / np.diff(matrix.indptr)


def diversity(lists: TopLists, users: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """1 minus the mean cosine of all pairs of items of each user's list: float64 (len(users),), NaN
    where fewer than two items have a vector.

    vectors  float (n_items, d), rows of length 1 or 0, as normalised() returns
    """
    matrix = _matrix(lists, users, len(vectors))
    n = matrix @ (np.abs(vectors).sum(axis=1) > 0)
    total = matrix @ vectors.astype(np.float64)  # |sum|^2 = n + sum of the cosines of all pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, 1 - ((total**2).sum(axis=1) - n) / (n * (n - 1)), np.nan)
