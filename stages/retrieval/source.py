"""What a candidate source is: it is fitted on a fold's history, and then retrieves the n unseen
items that it scores best for each user. The baselines are the first k of the same sources.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.params import Strict

import numpy as np
from scipy import sparse

from folds.candidate_lists import Candidates, Retrieved, concatenate, fallback_lists, merge
from folds.factors import Factors
from folds.history import History

TopN = Callable[[np.ndarray, int], Retrieved]  # (users int32, n) -> their n best unseen items


@dataclass(frozen=True)
class Inputs:
    """What a source may be fitted on: all of it is known before the fold's target window.

    history     what sources are fitted on
    embeddings  float32 (n_items, width), in the order of the history's items; a row of NaN for an
                item without one
    factors     of ALS: of the users served and of the items; None for the baselines, which are
                fitted without it
    tags        CSR float32 (n_items, n_tags): the item's author or genres, each row sums to 1; None
                where no source that needs them is fitted
    new_users   users to serve in place of the history's own, with what they have seen and liked of
                its items
    """

    history: History
    embeddings: np.ndarray
    n_threads: int
    factors: Factors | None = None
    tags: sparse.csr_array | None = None
    new_users: History | None = None

    @property
    def served(self) -> History:
        """Whom a source retrieves for: what it says of a user, it takes from here."""
        return self.history if self.new_users is None else self.new_users


class NoParams(Strict):
    """Of a source that has nothing to choose."""


@dataclass(frozen=True)
class Source:
    """A source in the registry. `fit` takes the inputs and the source's own parameters."""

    fit: Callable[[Inputs, Strict], TopN]
    params: type[Strict] = NoParams


def lists_of(
    served: History, sources: dict[str, TopN], fallback: TopN, users: np.ndarray, n: int
) -> Candidates:
    """The candidate lists of these rows of users.parquet, ascending; users and items as in the
    file.

    served    that of the inputs of the sources; its users may be rows of another table
    sources   the fitted sources, n items of each; fallback  what cold users are served
    """
    warm = users[served.n_positives_of(users) > 0]
    cold = np.setdiff1d(users, warm)
    known = served.user_of(warm)
    retrieved = {name: top_n(known, n) for name, top_n in sources.items()}
    for_cold = fallback(served.user_of(cold), n)
    lists = concatenate(
        [merge(warm, retrieved, served.n_items), fallback_lists(cold, for_cold, list(sources))]
    )
    lists = lists.take(np.argsort(lists.user, kind="stable"))
    return replace(lists, item=served.items[lists.item])
