"""Item-item similarity by co-occurrence of positives, and what it is made of: both a source of
candidates and a family of features need it.
"""

import warnings
from typing import Literal

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.decay import HalfLife


class ItemKnnParams(Strict):
    """Item-item nearest neighbours over co-occurring positives."""

    neighbours: int = Field(ge=1, le=10_000)  # kept per item
    weighting: Literal["count", "cosine", "tfidf", "bm25"]  # of users and items before the product
    last_items: int = Field(ge=2)  # of each user, the latest; the cost grows with its square
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


def normalised(vectors: np.ndarray) -> np.ndarray:
    """float32 of the same shape: rows of length 1; rows of zeros and rows with NaN become 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(vectors / lengths, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
