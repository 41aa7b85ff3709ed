"""Content: similarity of an item's embedding to those of the items that the user liked."""

from core.products import normalised, vector_scores

import numpy as np

from models.model import Inputs, NoParams, Scores


def content(inputs: Inputs, params: NoParams) -> Scores:
    """Score items by the cosine of their embedding and the mean of the user's positives."""
    items = normalised(inputs.embeddings)

    def vectors_of(users: np.ndarray) -> np.ndarray:
        return normalised(inputs.served.positives[users] @ items)

    return vector_scores(vectors_of, items)
