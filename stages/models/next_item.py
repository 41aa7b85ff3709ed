"""Next items: transitions between consecutive positives of all users."""

from core.history import History
from core.params import Strict
from core.weights import by_recency, latest

import numpy as np
from pydantic import Field
from scipy import sparse

from models.model import Inputs, Scores

MOST_POSITIVES = 500  # number of latest positives of a user for counting transitions


class NextItemParams(Strict):
    """Parameters of transitions."""

    last_items: int = Field(ge=1, le=1000)  # latest positives of a user, weighted 1, 1/2, 1/3, …
    reach: int = Field(ge=1, le=100)  # number of positives that count as next, weighted 1, 1/2, …


def transitions(history: History, reach: int) -> sparse.csr_matrix:
    """Return the weights of transitions from item i to item j, CSR float32 (n_items, n_items).

    Each time that j comes d <= reach positives after i adds 1 / d. The sum is divided by sqrt(n_i
    n_j), where n is the number of users with the item among their latest MOST_POSITIVES positives.
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
    """Score items by the sum of the transitions from the user's latest positives."""
    following = transitions(inputs.history, params.reach)
    last = by_recency(inputs.served.positives, params.last_items)
    return lambda users: last[users] @ following
