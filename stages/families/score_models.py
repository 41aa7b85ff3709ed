"""Models whose scores are features; ScoreModel is the only list of them.

Each is fitted on the history, which gives what it knows of items, and with that scores all items
for users served: a function of these, int (n,), that gives float32 (n, n_items), CSR or dense; 0 is
no evidence for the item.
"""

from collections.abc import Callable
from typing import Annotated, Literal

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.decay import HalfLife, decayed
from folds.ease import ease_weights, most_popular, scores_by
from folds.history import History
from folds.similarity import ItemKnnParams, item_knn_similarity

ItemWeights = tuple[np.ndarray, np.ndarray]  # the items EASE knows, and their weights
Scores = Callable[[np.ndarray], np.ndarray | sparse.csr_array]


class EaseModel(Strict):
    """EASE; items that are not among the max_items with most entries score 0."""

    model: Literal["ease"]
    of: Literal["positives", "exposures"]  # what it is fitted on, and what users are scored by
    l2: float = Field(ge=1e-3, le=1e12)  # ridge weight
    max_items: int = Field(ge=1, le=1_000_000)  # time grows with its cube, memory with its square
    half_life: HalfLife  # of an entry, windows

    def fit(self, history: History, n_threads: int) -> ItemWeights:
        user_item = decayed(history, self.of, self.half_life)
        items = most_popular(user_item, self.max_items)
        return items, ease_weights(user_item[:, items], self.l2, n_threads)

    def scores(self, fitted: ItemWeights, served: History) -> Scores:
        items, weights = fitted
        scores_of_known = scores_by(weights, decayed(served, self.of, self.half_life)[:, items])

        def scores(users: np.ndarray) -> np.ndarray:
            found = np.zeros((len(users), served.n_items), dtype=np.float32)
            found[:, items] = scores_of_known(users)
            return found

        return scores


class ItemKnnModel(ItemKnnParams):
    """The sum of the similarities between an item and the entries of the user."""

    model: Literal["item_knn"]
    of: Literal["positives", "exposures"]  # what it is fitted on, and what users are scored by

    def fit(self, history: History, n_threads: int) -> sparse.csr_matrix:
        return item_knn_similarity(decayed(history, self.of, self.half_life), self, n_threads)

    def scores(self, fitted: sparse.csr_matrix, served: History) -> Scores:
        rows = decayed(served, self.of, self.half_life)
        return lambda users: rows[users] @ fitted


ScoreModel = Annotated[EaseModel | ItemKnnModel, Field(discriminator="model")]
