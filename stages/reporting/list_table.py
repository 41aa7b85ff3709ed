"""A row per judged list: AP of every model, and properties of the lists of ALS and the hybrid."""

from core import metrics
from core.history import load_fold
from core.top_lists import TopLists

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from evaluation.judged import als_lists_and_counts, judge, recommended_lists

PER_USER = "data/per_user/{fold}.parquet"


def list_table(
    fold: str, user_ids: pa.ChunkedArray, item_ids: pa.ChunkedArray, vectors: np.ndarray, k: int
) -> pd.DataFrame:
    """Return the lists of a fold, by user.

    vectors  float32 (n_items, d): embeddings of items.parquet; a row has length 1, or 0 for an item
             without an embedding
    Columns: fold; user, a row of users.parquet; is_cold, n_positives (in the history), n_relevant,
    n_found (relevant items among the candidates); ap_MODEL, ndcg_MODEL; for MODEL als and hybrid:
    popular_MODEL and tail_MODEL, AP where only the relevant items in the popular tenth of the
    catalogue, or only the others, count, NaN without one; popularity_MODEL and diversity_MODEL.
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
    }
    n_tail = judged.n_relevant - judged.n_popular
    for name, of in lists.items():
        popular = judged.popular_hits[name]
        matrix = list_matrix(of, len(user_ids), len(item_ids))[judged.user]
        columns |= {
            f"popular_{name}": _average_precision(popular, judged.n_popular),
            f"tail_{name}": _average_precision(judged.hits[name] & ~popular, n_tail),
            f"popularity_{name}": popularity(matrix, share),
            f"diversity_{name}": diversity(matrix, vectors),
        }
    of_models = pd.read_parquet(PER_USER.format(fold=fold)).drop(columns="user_id")
    return pd.concat([pd.DataFrame(columns), of_models], axis=1)


def _average_precision(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """AP@k of every list, NaN where nothing is relevant."""
    of_any = metrics.average_precision(hits, np.maximum(1, n_relevant))
    return np.where(n_relevant > 0, of_any, np.nan)


def list_matrix(lists: TopLists, n_users: int, n_items: int) -> sparse.csr_array:
    """Return 1 where an item is in a user's list: CSR float64 (n_users, n_items)."""
    ones = np.ones(len(lists.user))
    return sparse.csr_array((ones, (lists.user, lists.item)), shape=(n_users, n_items))


def popularity(matrix: sparse.csr_array, share: np.ndarray) -> np.ndarray:
    """Return the mean `share` of the items of each list: float64 (n_lists,), NaN without a list.

    share  float64 (n_items,): of the history's users who liked the item
    """
    with np.errstate(invalid="ignore"):
        return (matrix @ share) / np.diff(matrix.indptr)


def diversity(matrix: sparse.csr_array, vectors: np.ndarray) -> np.ndarray:
    """Return 1 minus the mean cosine of all pairs of items of each list: float64 (n_lists,), NaN
    where fewer than two items have a vector.

    vectors  float (n_items, d), rows of length 1 or 0
    """
    n = matrix @ (np.abs(vectors).sum(axis=1) > 0)
    total = matrix @ vectors.astype(np.float64)  # |sum|^2 = n + sum of the cosines of all pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, 1 - ((total**2).sum(axis=1) - n) / (n * (n - 1)), np.nan)
