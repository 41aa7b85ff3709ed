"""Item-item nearest neighbours as a source."""

import numpy as np
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.decay import decayed
from folds.similarity import ItemKnnParams, item_knn_similarity
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


def item_knn(inputs: Inputs, params: ItemKnnParams) -> TopN:
    """Sum of the similarities between an item and the user's positives, the older the lighter if
    there is a half-life; only items with any.
    """
    fitted = decayed(inputs.history, "positives", params.half_life)
    similarity = item_knn_similarity(fitted, params, inputs.n_threads)
    of_users = decayed(inputs.served, "positives", params.half_life)
    return by_similarity(of_users, similarity, inputs.served.exposures, inputs.n_threads)


def by_similarity(
    of_users: sparse.csr_array,
    similarity: sparse.csr_matrix,
    exposures: sparse.csr_array,
    n_threads: int,
) -> TopN:
    """The same by what is given: the users' positives (n_users, n), the similarity to each of these
    n items (n, n_items), and what the users have seen (n_users, n_items); CSR float32.
    """

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        positives = sparse.csr_matrix(of_users[users])
        return by_scores(
            lambda rows: positives[rows] @ similarity,
            exposures,
            users,
            n,
            n_threads,
        )

    return top_n
