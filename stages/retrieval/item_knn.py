"""Item-item nearest neighbours as a source."""

import numpy as np
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.similarity import ItemKnnParams, item_knn_similarity
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


def item_knn(inputs: Inputs, params: ItemKnnParams) -> TopN:
    """Sum of the similarities between an item and the user's positives; only items with any."""
    served = inputs.served
    similarity = item_knn_similarity(inputs.history.positives, params, inputs.n_threads)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        positives = sparse.csr_matrix(served.positives[users])
        return by_scores(
            lambda rows: positives[rows] @ similarity,
            served.exposures,
            users,
            n,
            inputs.n_threads,
        )

    return top_n
