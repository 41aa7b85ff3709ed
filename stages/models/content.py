"""Content: how close an item's embedding is to those of the items that the user liked."""

from core.products import normalised, vector_scores

import numpy as np

from models.model import Inputs, NoParams, Scores


def content(inputs: Inputs, params: NoParams) -> Scores:
    """Cosine of the item's embedding and the mean of the user's normalised positives."""
    items = normalised(inputs.embeddings)

    def vectors_of(users: np.ndarray) -> np.ndarray:
        return normalised(inputs.served.positives[users] @ items)

    return vector_scores(vectors_of, items)
