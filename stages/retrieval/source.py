"""What a candidate source is: it is fitted on a fold's history, and then retrieves the n unseen
items that it scores best for each user. The baselines are the first k of the same sources.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.params import Strict

import numpy as np
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.factors import Factors
from folds.history import History

TopN = Callable[[np.ndarray, int], Retrieved]  # (users int32, n) -> their n best unseen items


@dataclass(frozen=True)
class Inputs:
    """What a source may be fitted on: all of it is known before the fold's target window.

    embeddings  float32 (n_items, width), in the order of the history's items; a row of NaN for an
                item without one
    factors     of ALS; None for the baselines, which are fitted without it
    tags        CSR float32 (n_items, n_tags): the item's author or genres, each row sums to 1; None
                where no source that needs them is fitted
    """

    history: History
    embeddings: np.ndarray
    n_threads: int
    factors: Factors | None = None
    tags: sparse.csr_array | None = None


class NoParams(Strict):
    """Of a source that has nothing to choose."""


@dataclass(frozen=True)
class Source:
    """A source in the registry. `fit` takes the inputs and the source's own parameters."""

    fit: Callable[[Inputs, Strict], TopN]
    params: type[Strict] = NoParams
