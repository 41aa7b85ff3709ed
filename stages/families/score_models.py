"""Models whose scores are features; ScoreModel is the only list of them.

Each is fitted on the history and scores all its items for users served: a function of these, int
(n,), that gives float32 (n, n_items), CSR or dense; 0 is no evidence for the item.
"""

from collections.abc import Callable
from typing import Annotated, Literal

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.decay import HalfLife, decayed
from folds.ease import ease_scores, most_popular
from folds.history import History
from folds.similarity import ItemKnnParams, item_knn_similarity

Scores = Callable[[np.ndarray], np.ndarray | sparse.csr_array]


class EaseModel(Strict):
    """EASE; items that are not among the max_items with most entries score 0."""

    model: Literal["ease"]
    of: Literal["positives", "exposures"]  # what it is fitted on, and what users are scored by
    l2: float = Field(ge=1e-3, le=1e12)  # ridge weight
    max_items: int = Field(ge=1, le=1_000_000)  # time grows with its cube, memory with its square
    half_life: HalfLife  # of an entry, windows

    def fit(self, history: History, served: History, n_threads: int) -> Scores:
        user_item, rows = (decayed(of, self.of, self.half_life) for of in (history, served))
        items = most_popular(user_item, self.max_items)
        scores_of_known = ease_scores(user_item[:, items], self.l2, n_threads, rows[:, items])

        def scores(users: np.ndarray) -> np.ndarray:
            found = np.zeros((len(users), history.n_items), dtype=np.float32)
            found[:, items] = scores_of_known(users)
            return found

        return scores


class ItemKnnModel(ItemKnnParams):
    """The sum of the similarities between an item and the entries of the user."""

    model: Literal["item_knn"]
    of: Literal["positives", "exposures"]  # what it is fitted on, and what users are scored by

    def fit(self, history: History, served: History, n_threads: int) -> Scores:
        user_item, rows = (decayed(of, self.of, self.half_life) for of in (history, served))
        similarity = item_knn_similarity(user_item, self, n_threads)
        return lambda users: rows[users] @ similarity


ScoreModel = Annotated[EaseModel | ItemKnnModel, Field(discriminator="model")]
