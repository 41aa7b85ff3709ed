"""Implicit-feedback ALS (Hu, Koren, Volinsky 2008, Collaborative Filtering for Implicit Feedback
Datasets), fitted by conjugate gradient with the library implicit.
"""

import contextlib
import sys
from typing import TYPE_CHECKING, Literal

from core.factors import Factors
from core.feedback import strengths
from core.history import Columns, History
from core.params import Strict
from core.products import vector_scores
from core.script import InputError
from core.weights import HalfLife, decayed

import numpy as np
from pydantic import Field
from scipy import sparse

if TYPE_CHECKING:
    from models.model import Inputs, NoParams, Scores


class AlsParams(Strict):
    """Parameters of ALS, by the names of the library `implicit`."""

    factors: int = Field(ge=1, le=4096)  # width of the factor vectors
    alpha: float = Field(gt=0, le=1e6)  # confidence of a positive pair; other pairs have 1
    confidence: Literal["plain", "strength"]  # strength: alpha times the strength of the feedback
    regularization: float = Field(ge=0, le=1e9)  # L2 weight
    iterations: int = Field(ge=1, le=1000)  # alternations of users and items
    half_life: HalfLife  # half-life of the confidence of a positive, in windows


def weighted(history: History, params: AlsParams, given: Columns | None = None) -> sparse.csr_array:
    """Return the weight of each positive, CSR float32 (n_users, n_items).

    The confidence in ALS is alpha times this weight. It is 1, or less with a half-life, times the
    strength of the feedback (1 to 4) if asked for.

    given  columns of new users, who are in no file
    """
    positives = decayed(history, "positives", params.half_life)
    if params.confidence == "plain":
        return positives
    weights = positives.data * strengths(history, given)[history.is_positive]
    return sparse.csr_array((weights, positives.indices, positives.indptr), shape=positives.shape)


def fit(
    positives: sparse.csr_array,
    params: AlsParams,
    seed: int,
    n_threads: int,
    item_factors: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit ALS. Returns float32 (n_users, factors) and (n_items, factors), zero without a positive.

    The last step solves the equations of each user exactly for the final item factors. Therefore
    the same positives give a user the same factors, with any other users.

    positives     the result of weighted()
    item_factors  those of an earlier fit, for the same items; only the users are fitted
    Raises InputError if float32 ALS has no finite solution, because alpha is too large compared
    with regularization.
    """
    from implicit.cpu.als import AlternatingLeastSquares  # late: takes 0.3 s
    from implicit.recommender_base import ModelFitError

    of_model = params.model_dump(exclude={"confidence", "half_life"})
    model = AlternatingLeastSquares(
        **of_model, random_state=seed, num_threads=n_threads, use_cg=True
    )
    user_items = sparse.csr_matrix(positives)
    with contextlib.suppress(ModelFitError, ValueError):
        if item_factors is None:
            model.fit(user_items, show_progress=sys.stderr.isatty())
        else:
            model.item_factors = item_factors
        user_factors = model.recalculate_user(np.arange(user_items.shape[0]), user_items)
        if np.isfinite(user_factors).all():
            return user_factors, model.item_factors
    raise InputError(
        f"params.yaml: with als.alpha {params.alpha:g}, als.regularization"
        f" {params.regularization:g} and als.factors {params.factors} the equations of ALS have"
        " no solution: raise regularization, or lower alpha or factors"
    )


def factors_of(history: History, params: AlsParams, seed: int, n_threads: int) -> Factors:
    """Fit ALS on a history and return the factors of all its users and items."""
    factors = fit(weighted(history, params), params, seed, n_threads)
    return Factors(*factors, history.users, history.items)


def als(inputs: "Inputs", params: "NoParams") -> "Scores":
    """Score items by the dot product of the factors that the stage `als` fitted."""
    return vector_scores(inputs.factors.user_factors.__getitem__, inputs.factors.item_factors)
