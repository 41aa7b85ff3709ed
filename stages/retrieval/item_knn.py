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
    served = inputs.served
    fitted, of_users = (
        decayed(of, "positives", params.half_life) for of in (inputs.history, served)
    )
    similarity = item_knn_similarity(fitted, params, inputs.n_threads)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        positives = sparse.csr_matrix(of_users[users])
        return by_scores(
            lambda rows: positives[rows] @ similarity,
            served.exposures,
            users,
            n,
            inputs.n_threads,
        )

    return top_n
