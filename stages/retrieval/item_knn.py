"""Item-item nearest neighbours as a source."""

import numpy as np
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.similarity import ItemKnnParams, item_knn_similarity
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


def item_knn(inputs: Inputs, params: ItemKnnParams) -> TopN:
    """Sum of the similarities between an item and the user's positives; only items with any."""
    history = inputs.history
    similarity = item_knn_similarity(history.positives, params, inputs.n_threads)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        positives = sparse.csr_matrix(history.positives[users])
        return by_scores(
            lambda rows: positives[rows] @ similarity,
            history.exposures,
            users,
            n,
            inputs.n_threads,
        )

    return top_n
