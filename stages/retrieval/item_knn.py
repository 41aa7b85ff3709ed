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
    history = inputs.history
    decayed_positives = decayed(history, "positives", params.half_life)
    similarity = item_knn_similarity(decayed_positives, params, inputs.n_threads)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        positives = sparse.csr_matrix(decayed_positives[users])
        return by_scores(
            lambda rows: positives[rows] @ similarity,
            history.exposures,
            users,
            n,
            inputs.n_threads,
        )

    return top_n
