"""Item-item nearest neighbours, by the library implicit."""

import warnings
from typing import Literal

from core.params import Strict
from core.weights import HalfLife, decayed, latest

import numpy as np
from pydantic import Field
from scipy import sparse

from models.model import Inputs, Scores

DENSE_SHARE = 0.1  # of a user's row: a dense product takes about 1/15 of the time for an addition


class ItemKnnParams(Strict):
    """Item-item nearest neighbours over co-occurring interactions."""

    of: Literal["positives", "exposures"]  # which interactions co-occur, and score items
    neighbours: int = Field(ge=1, le=10_000)  # kept per item
    weighting: Literal["count", "cosine", "tfidf", "bm25"]  # of users and items before the product
    last_items: int = Field(ge=2, le=1_000_000)  # of each user; the cost grows with its square
    half_life: HalfLife  # of an interaction, windows


def item_knn_similarity(
    user_item: sparse.csr_array, params: ItemKnnParams, n_threads: int
) -> sparse.csr_matrix:
    """Return the most similar items of each item (a column), itself left out: CSR float32 (n_items,
    n_items), sorted.

    user_item  CSR (n_users, n_items), with the weights of core.weights.decayed
    """
    from implicit import nearest_neighbours as models  # late: takes 0.3 s
    from implicit.utils import ParameterWarning

    model_of = {
        "count": models.ItemItemRecommender,
        "cosine": models.CosineRecommender,
        "tfidf": models.TFIDFRecommender,
        "bm25": models.BM25Recommender,
    }
    model = model_of[params.weighting](K=params.neighbours + 1, num_threads=n_threads)
    interactions = sparse.csr_matrix(latest(user_item, params.last_items), dtype=np.float64)
    with warnings.catch_warnings(category=ParameterWarning, action="ignore"):
        model.fit(interactions, show_progress=False)  # weights in COO, then warns of that
    similarity = sparse.csr_matrix(model.similarity, dtype=np.float32)
    similarity.setdiag(0)
    similarity.eliminate_zeros()
    similarity.sort_indices()
    return similarity


def item_knn(inputs: Inputs, params: ItemKnnParams) -> Scores:
    """Sum of the similarities between an item and the user's interactions; with a half-life, older
    ones weigh less.
    """
    fitted = decayed(inputs.history, params.of, params.half_life)
    similarity = item_knn_similarity(fitted, params, inputs.n_threads)
    rows = decayed(inputs.served, params.of, params.half_life)
    is_dense = rows.nnz > DENSE_SHARE * np.prod(rows.shape)
    by_neighbour = similarity.T.tocsr() if is_dense else None

    def scores(users: np.ndarray) -> sparse.csr_array:
        of_users = rows[users]
        of_users.sort_indices()  # then both products add in the same order
        if not is_dense:
            return of_users @ similarity
        columns = np.ascontiguousarray(of_users.toarray().T)
        return sparse.csr_array((by_neighbour @ columns).T)

    return scores
