"""What a model is: fitted on the history of a fold, it scores items for users.

From its scores alone follow the items that it retrieves and its score of any candidate
(models/scoring.py), so one function makes a model a candidate source, a baseline and a feature.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import TypeVar

from core.factors import Factors
from core.history import History
from core.params import Strict

import numpy as np
from scipy import sparse

Value = TypeVar("Value")


class Ranking:
    """One score per item, the same for every user: float (n_items,), -inf for unknown items."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    @cached_property
    def order(self) -> np.ndarray:
        """The items, best first, ties by item: int32 (n,), without those of -inf."""
        items = np.arange(len(self.scores))
        order = np.lexsort((items, -self.scores)).astype(np.int32)
        return order[self.scores[order] > -np.inf]


# users int (n,) of `Inputs.served` -> their scores, float32 (n, n_items): dense, where -inf means
# that the model does not know the item; or CSR, where 0 means that it has no evidence for the item
Scores = Ranking | Callable[[np.ndarray], np.ndarray | sparse.csr_array]


@dataclass(frozen=True)
class Inputs:
    """What a model may be fitted on. All of it is known before the fold's target window."""

    history: History  # what models are fitted on; its items include new ones
    embeddings: np.ndarray  # float32 (n_items, width); a row of NaN for an item without one
    n_threads: int
    factors: Factors | None = None  # of ALS, for the users served; None if ALS is not in use
    tags: sparse.csr_array | None = None  # CSR (n_items, n_tags), see core/tables.py
    new_users: History | None = None  # users to score items for in place of the history's own
    _made: dict[Hashable, object] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def once(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what `make` returns, computed by the first model that asks for this key."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    @property
    def served(self) -> History:
        """The interactions of the users to score items for."""
        return self.history if self.new_users is None else self.new_users

    @property
    def known(self) -> "Inputs":
        """The same without the items that are new: what most models are fitted on."""
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
    """The parameters of a model that has none."""


@dataclass(frozen=True)
class Model:
    """An entry of the registry: a function that fits the model, the class of its parameters, and
    whether the model scores items that nobody has seen yet.
    """

    fit: Callable[[Inputs, Strict], Scores]
    params: type[Strict] = NoParams
    scores_new_items: bool = False
