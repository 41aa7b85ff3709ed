"""What others liked next: transitions from item to item."""

from core.history import History
from core.params import Strict
from core.weights import by_recency, latest

import numpy as np
from pydantic import Field
from scipy import sparse

from models.model import Inputs, Scores

MOST_POSITIVES = 500  # latest positives of a user that transitions are counted from


class NextItemParams(Strict):
    """Transitions from item to item, by the order of the users' positives."""

    last_items: int = Field(ge=1, le=1000)  # of the user, the latest, weighted 1, 1/2, 1/3, …
    reach: int = Field(ge=1, le=100)  # so many positives after an item count as next, 1, 1/2, …


def transitions(history: History, reach: int) -> sparse.csr_matrix:
    """Return how often item j came d <= reach positives after item i, weighted 1 / d, over
    sqrt(n_i n_j): CSR float32 (n_items, n_items).

    n is how often an item stands among the latest MOST_POSITIVES positives of the users.
    """
    positives = latest(history.positives, MOST_POSITIVES)
    user = np.repeat(np.arange(positives.shape[0]), np.diff(positives.indptr))
    size = (history.n_items, history.n_items)
    counts = sparse.csr_matrix(size, dtype=np.float32)
    for lag in range(1, reach + 1):
        follows = user[lag:] == user[:-lag]
        pairs = (positives.indices[:-lag][follows], positives.indices[lag:][follows])
        weight = np.full(len(pairs[0]), 1 / lag, dtype=np.float32)
        counts = counts + sparse.coo_matrix((weight, pairs), shape=size).tocsr()
    n = np.bincount(positives.indices, minlength=history.n_items)
    scale = sparse.diags(1 / np.sqrt(np.maximum(n, 1)), dtype=np.float32)
    return sparse.csr_matrix(scale @ counts @ scale, dtype=np.float32)


def next_item(inputs: Inputs, params: NextItemParams) -> Scores:
    """Sum of the transitions from the user's latest positives."""
    following = transitions(inputs.history, params.reach)
    last = by_recency(inputs.served.positives, params.last_items)
    return lambda users: last[users] @ following
