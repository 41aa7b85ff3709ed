"""EASE as a source."""

from collections.abc import Callable

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.decay import HalfLife, decayed
from folds.ease import ease_scores, most_popular
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


class EaseParams(Strict):
    """A full item-item matrix in closed form: O(n_items^3) time, O(n_items^2) memory."""

    l2: float = Field(ge=1e-3, le=1e12)  # ridge weight, lambda in the paper
    max_items: int = Field(ge=1, le=1_000_000)  # larger: no candidates, and cut for a baseline
    half_life: HalfLife  # of a positive, windows


def ease(inputs: Inputs, params: EaseParams) -> TopN:
    """The user's row of positives times the weights of EASE; only the max_items most popular items
    are known to it.
    """
    history, served = inputs.history, inputs.served
    positives, rows_of_users = (
        decayed(of, "positives", params.half_life) for of in (history, served)
    )
    items = most_popular(positives, params.max_items)
    scores = ease_scores(positives[:, items], params.l2, inputs.n_threads, rows_of_users[:, items])
    return among(items, scores, served.exposures, inputs.n_threads)


def among(
    items: np.ndarray,
    scores: Callable[[np.ndarray], np.ndarray],
    exposures: sparse.csr_array,
    n_threads: int,
) -> TopN:
    """The best of some items alone, ascending, by a function from users to their scores, float32
    (n_users, n); exposures  CSR (n_users, n_items): what the users have seen of all items.
    """
    seen = exposures[:, items]

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        found = by_scores(lambda rows: scores(users[rows]), seen, users, n, n_threads)
        item = np.where(found.item < 0, -1, items[found.item]).astype(np.int32)
        return Retrieved(item, found.score)

    return top_n
