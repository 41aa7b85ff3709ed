"""The interface of a model, which is fitted on the history of a fold and scores items for users.

models/scoring.py derives retrieved items and candidate scores from these scores. Therefore a model
is one function, and can be a candidate source, a baseline and a feature.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock

from core.factors import Factors
from core.history import History
from core.params import Strict
from core.products import Products

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Ranking:
    """One score per item for all users, which is its own block of scores of any users."""

    scores: np.ndarray  # float (n_items,), -inf for unknown items

    def __call__(self, users: np.ndarray) -> "Ranking":
        return self

    @cached_property
    def order(self) -> np.ndarray:
        """Items, best first, ties by item, int32 (n,), without unknown items."""
        order = np.argsort(-self.scores, kind="stable").astype(np.int32)
        return order[self.scores[order] > -np.inf]


# Function from users, int (n,) of `Inputs.served`, to scores (n, n_items): dense float32, with -inf
# for items that the model does not know; CSR, with 0 for no evidence; or Products of vectors
Block = Ranking | np.ndarray | sparse.csr_array | Products
Scores = Callable[[np.ndarray], Block]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model. All of them are known before the fold's target window."""

    history: History  # interactions to fit on; its items include new ones
    embeddings: np.ndarray  # float32 (n_items, width); a row of NaN for an item without one
    n_threads: int
    factors: Factors | None = None  # ALS factors of the served users; None if ALS is not used
    tags: sparse.csr_array | None = None  # CSR (n_items, n_tags), see core/tables.py
    new_users: History | None = None  # users to score items for, instead of those of the history
    _made: dict[Hashable, object] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def once(self, key: Hashable, make: Callable[[], object]) -> object:
        """Return make(), computed only once for each key and shared by all models."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    @property
    def served(self) -> History:
        """Interactions of the users to score items for."""
        return self.history if self.new_users is None else self.new_users

    @property
    def known(self) -> "Inputs":
        """The same inputs without new items, which most models are fitted on."""
        is_known = self.history.is_known
        return self.once(
            "known",
            lambda: replace(
                self,
                history=self.history.of_items(is_known),
                embeddings=self.embeddings[is_known],
                tags=None if self.tags is None else self.tags[is_known],
                new_users=self.new_users and self.new_users.of_items(is_known),
                _made={},
                _lock=Lock(),
            ),
        )


class NoParams(Strict):
    """Parameters of a model without parameters."""


@dataclass(frozen=True)
class Model:
    """An entry of the registry: the function that fits the model, the class of its parameters, and
    whether the model can score items without an exposure.
    """

    fit: Callable[[Inputs, Strict], Scores]
    params: type[Strict] = NoParams
    scores_new_items: bool = False
