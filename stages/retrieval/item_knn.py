"""Item-item nearest neighbours as a source."""

import numpy as np
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.decay import decayed
from folds.history import History
from folds.similarity import ItemKnnParams, item_knn_similarity
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


def item_knn(inputs: Inputs, params: ItemKnnParams) -> TopN:
    """Sum of the similarities between an item and the user's positives, the older the lighter if
    there is a half-life; only items with any.
    """
    fitted = decayed(inputs.history, "positives", params.half_life)
    similarity = item_knn_similarity(fitted, params, inputs.n_threads)
    return by_similarity(inputs.served, similarity, params.half_life, inputs.n_threads)


def by_similarity(
    served: History, similarity: sparse.csr_matrix, half_life: float, n_threads: int
) -> TopN:
    """The same by a similarity that is given, CSR float32 (n_items, n_items)."""
    of_users = decayed(served, "positives", half_life)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        positives = sparse.csr_matrix(of_users[users])
        return by_scores(
            lambda rows: positives[rows] @ similarity,
            served.exposures,
            users,
            n,
            n_threads,
        )

    return top_n
