"""Sources that score an item by the dot product of its vector with the user's."""

import numpy as np

from folds.similarity import normalised
from retrieval.source import Inputs, NoParams, TopN
from retrieval.top_n import by_vectors


def als(inputs: Inputs, params: NoParams) -> TopN:
    """Dot product of the factors of ALS."""
    user_factors, item_factors = inputs.factors.user_factors, inputs.factors.item_factors

    def vectors_of(users: np.ndarray) -> np.ndarray:
        return user_factors[users]

    return by_vectors(inputs.served, vectors_of, item_factors, inputs.n_threads)


def content(inputs: Inputs, params: NoParams) -> TopN:
    """Cosine of the item's embedding and the mean of the user's normalised positives."""
    items = normalised(inputs.embeddings)

    def vectors_of(users: np.ndarray) -> np.ndarray:
        return normalised(inputs.served.positives[users] @ items)

    return by_vectors(inputs.served, vectors_of, items, inputs.n_threads)
