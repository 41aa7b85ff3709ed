"""Item-item nearest neighbours, fitted by the library implicit."""

from typing import Literal

from core.params import Strict
from core.weights import HalfLife, decayed, latest

import numpy as np
from pydantic import Field
from scipy import sparse

from models.model import Inputs, Scores

DENSE_SHARE = 0.1  # share of a user's row above which a dense product is faster


class ItemKnnParams(Strict):
    """Parameters of item-item nearest neighbours."""

    of: Literal["positives", "exposures"]  # interactions to count co-occurrences and score users
    neighbours: int = Field(ge=1, le=10_000)  # number of neighbours kept per item
    weighting: Literal["count", "cosine", "tfidf", "bm25"]  # applied before the inner product
    last_items: int = Field(ge=2, le=1_000_000)  # per user; the cost grows with its square
    half_life: HalfLife  # half-life of an interaction, in windows


def item_knn_similarity(
    user_item: sparse.csr_array, params: ItemKnnParams, n_threads: int
) -> sparse.csr_matrix:
    """Return the most similar other items of each item (a column), CSR float32 (n_items, n_items).

    user_item  CSR (n_users, n_items), with the weights of core.weights.decayed
    """
    from implicit import nearest_neighbours as library  # late: takes 0.3 s

    weighted = {
        "count": lambda item_user: item_user,
        "cosine": library.normalize,
        "tfidf": lambda item_user: library.normalize(library.tfidf_weight(item_user)),
        "bm25": lambda item_user: library.bm25_weight(item_user, K1=1.2, B=0.75),
    }[params.weighting]
    interactions = sparse.csr_matrix(latest(user_item, params.last_items), dtype=np.float64)
    interactions = sparse.csr_matrix(weighted(interactions.T).T)
    k = params.neighbours + 1  # includes the item itself
    # we do not use the library's models, because they keep three copies of the similarities
    found = library.all_pairs_knn(interactions, k, show_progress=False, num_threads=n_threads)
    found.data = found.data.astype(np.float32)
    is_kept = (found.data != 0) & (found.row != found.col)  # rows with fewer than k end with zeros
    kept = found.data[is_kept], (found.row[is_kept], found.col[is_kept])
    return sparse.coo_matrix(kept, shape=found.shape).tocsr()


def item_knn(inputs: Inputs, params: ItemKnnParams) -> Scores:
    """Score items by the sum of their similarities to the user's interactions."""
    fitted = decayed(inputs.history, params.of, params.half_life)
    similarity = item_knn_similarity(fitted, params, inputs.n_threads)
    rows = decayed(inputs.served, params.of, params.half_life)
    is_dense = rows.nnz > DENSE_SHARE * np.prod(rows.shape)
    by_neighbour = similarity.T.tocsr() if is_dense else None

    def scores(users: np.ndarray) -> sparse.csr_array:
        of_users = rows[users]
        of_users.sort_indices()  # so that both products add in the same order
        if not is_dense:
            return of_users @ similarity
        columns = np.ascontiguousarray(of_users.toarray().T)
        return sparse.csr_array((by_neighbour @ columns).T)

    return scores
