"""What others watched next, as a source."""

from harness.params import Strict

import numpy as np
from pydantic import Field

from folds.candidate_lists import Retrieved
from folds.similarity import by_recency, transitions
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


class NextItemParams(Strict):
    """Transitions from item to item, by the order of the users' positives."""

    last_items: int = Field(ge=1, le=1000)  # of the user, the latest, weighted 1, 1/2, 1/3, …
    reach: int = Field(ge=1, le=100)  # so many positives after an item count as next, 1, 1/2, …


def next_item(inputs: Inputs, params: NextItemParams) -> TopN:
    """Sum of the transitions from the user's latest positives; only items with any."""
    history, served = inputs.history, inputs.served
    latest = by_recency(served.positives, params.last_items)
    following = transitions(history, params.reach)

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        of_users = latest[users]
        return by_scores(
            lambda rows: of_users[rows] @ following,
            served.exposures,
            users,
            n,
            inputs.n_threads,
        )

    return top_n
