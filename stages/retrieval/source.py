"""What a candidate source is: it is fitted on a fold's history, and then retrieves the n unseen
items that it scores best for each user. The baselines are the first k of the same sources.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.params import Strict

import numpy as np

from folds.candidate_lists import Candidates, Retrieved, concatenate, fallback_lists, merge
from folds.factors import Factors
from folds.history import History

TopN = Callable[[np.ndarray, int], Retrieved]  # (users int32, n) -> their n best unseen items


@dataclass(frozen=True)
class Inputs:
    """What a source may be fitted on: all of it is known before the fold's target window.

    embeddings  float32 (n_items, width), in the order of the history's items; a row of NaN for an
                item without one
    factors     of ALS; None for the baselines, which are fitted without it
    """

    history: History
    embeddings: np.ndarray
    n_threads: int
    factors: Factors | None = None


class NoParams(Strict):
    """Of a source that has nothing to choose."""


@dataclass(frozen=True)
class Source:
    """A source in the registry. `fit` takes the inputs and the source's own parameters."""

    fit: Callable[[Inputs, Strict], TopN]
    params: type[Strict] = NoParams


def lists_of(
    history: History, sources: dict[str, TopN], fallback: TopN, users: np.ndarray, n: int
) -> Candidates:
    """The candidate lists of these rows of users.parquet, ascending; users and items as in the
    file.

    sources   the fitted sources, n items of each; fallback  what cold users are served
    """
    warm = users[history.n_positives_of(users) > 0]
    cold = np.setdiff1d(users, warm)
    known = history.user_of(warm)
    retrieved = {name: top_n(known, n) for name, top_n in sources.items()}
    for_cold = fallback(history.user_of(cold), n)
    lists = concatenate(
        [merge(warm, retrieved, history.n_items), fallback_lists(cold, for_cold, list(sources))]
    )
    lists = lists.take(np.argsort(lists.user, kind="stable"))
    return replace(lists, item=history.items[lists.item])
