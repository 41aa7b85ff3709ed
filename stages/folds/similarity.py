"""Item-item similarity by co-occurrence and by order of positives, and what it is made of: both
sources of candidates and families of features need it.
"""

import warnings
from typing import Literal

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.decay import HalfLife
from folds.history import History


class ItemKnnParams(Strict):
    """Item-item nearest neighbours over co-occurring positives."""

    neighbours: int = Field(ge=1, le=10_000)  # kept per item
    weighting: Literal["count", "cosine", "tfidf", "bm25"]  # of users and items before the product
    last_items: int = Field(ge=2, le=1_000_000)  # of each user; the cost grows with its square
    half_life: HalfLife  # of an entry, windows


def latest(user_item: sparse.csr_array, most: int) -> sparse.csr_array:
    """CSR float32, same shape: the latest `most` entries of each row of a matrix in time order."""
    size = np.minimum(np.diff(user_item.indptr), most)
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(user_item.indptr.dtype)
    kept = np.arange(indptr[-1]) + np.repeat(user_item.indptr[1:] - indptr[1:], size)
    return sparse.csr_array(
        (user_item.data[kept], user_item.indices[kept], indptr), shape=user_item.shape
    )


def item_knn_similarity(
    user_item: sparse.csr_array, params: ItemKnnParams, n_threads: int
) -> sparse.csr_matrix:
    """The most similar items of each item (a column), itself left out: CSR float32 (n_items,
    n_items), sorted. user_item is decayed already, if it is to be: see folds.decay.
    """
    from implicit import nearest_neighbours as models  # late: 0.3 s that few of the users need
    from implicit.utils import ParameterWarning

    model_of = {
        "count": models.ItemItemRecommender,
        "cosine": models.CosineRecommender,
        "tfidf": models.TFIDFRecommender,
        "bm25": models.BM25Recommender,
    }
    model = model_of[params.weighting](K=params.neighbours + 1, num_threads=n_threads)
    positives = sparse.csr_matrix(latest(user_item, params.last_items), dtype=np.float64)
    with warnings.catch_warnings(category=ParameterWarning, action="ignore"):
        model.fit(positives, show_progress=False)  # weights in COO, then warns of that
    similarity = sparse.csr_matrix(model.similarity, dtype=np.float32)
    similarity.setdiag(0)
    similarity.eliminate_zeros()
    similarity.sort_indices()
    return similarity


def transitions(history: History, reach: int = 3, most: int = 500) -> sparse.csr_matrix:
    """CSR float32 (n_items, n_items): how often j came d <= reach positives after i, weighted
    1 / d, over sqrt(n_i n_j).

    Counts the latest `most` positives of each user; n is how often an item stands among them.
    """
    positives = latest(history.positives, most)
    user = np.repeat(np.arange(positives.shape[0]), np.diff(positives.indptr))
    size = (history.n_items, history.n_items)
    counts = sparse.csr_matrix(size, dtype=np.float32)
    for lag in range(1, reach + 1):
        follows = user[lag:] == user[:-lag]
        pairs = (positives.indices[:-lag][follows], positives.indices[lag:][follows])
        weight = np.full(len(pairs[0]), 1 / lag, dtype=np.float32)
        counts = counts + sparse.coo_matrix((weight, pairs), shape=size).tocsr()
    n = np.bincount(positives.indices, minlength=history.n_items)
    scale = sparse.diags(1 / np.sqrt(np.maximum(n, 1)), dtype=np.float32)
    return sparse.csr_matrix(scale @ counts @ scale, dtype=np.float32)


def by_recency(user_item: sparse.csr_array, most: int) -> sparse.csr_array:
    """1 / (1 + age) for the latest `most` entries of each row of a matrix in time order, age 0 for
    the last one: CSR float32, same shape.
    """
    last = latest(user_item, most)
    age = np.repeat(last.indptr[1:], np.diff(last.indptr)) - 1 - np.arange(last.nnz)
    last.data = (1 / (1 + age)).astype(np.float32)
    return last


def normalised(vectors: np.ndarray) -> np.ndarray:
    """float32 of the same shape: rows of length 1; rows of zeros and rows with NaN become 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(vectors / lengths, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
