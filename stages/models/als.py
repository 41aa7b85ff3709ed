"""Implicit-feedback ALS (Hu, Koren, Volinsky 2008, Collaborative Filtering for Implicit Feedback
Datasets), fitted by conjugate gradient with the library implicit.
"""

import contextlib
import sys
from collections.abc import Iterator
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
    from implicit.cpu.als import AlternatingLeastSquares

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


def model_of(params: AlsParams, seed: int, n_threads: int) -> "AlternatingLeastSquares":
    from implicit.cpu.als import AlternatingLeastSquares  # late: takes 0.3 s

    return AlternatingLeastSquares(
        **params.model_dump(exclude={"confidence", "half_life"}),
        random_state=seed,
        num_threads=n_threads,
        use_cg=True,
    )


@contextlib.contextmanager
def solvable(params: AlsParams) -> Iterator[None]:
    """Raise InputError with the parameters if the library finds no finite factors.

    If alpha is too large compared with regularization, float32 ALS has no finite solution.
    """
    from implicit.recommender_base import ModelFitError

    try:
        yield
    except (ModelFitError, ValueError):
        raise InputError(
            f"params.yaml: with als.alpha {params.alpha:g}, als.regularization"
            f" {params.regularization:g} and als.factors {params.factors} the equations of ALS have"
            " no solution: raise regularization, or lower alpha or factors"
        ) from None


def exact_user_factors(model: "AlternatingLeastSquares", positives: sparse.csr_array) -> np.ndarray:
    """Solve the equations of each user for the model's item factors, float32 (n_users, factors).

    A user's factors do not depend on other users' positives.
    """
    user_items = sparse.csr_matrix(positives)
    factors = model.recalculate_user(np.arange(user_items.shape[0]), user_items)
    if not np.isfinite(factors).all():
        raise ValueError("the factors are not finite")
    return factors


def fit(
    positives: sparse.csr_array, params: AlsParams, seed: int, n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit ALS. Returns float32 (n_users, factors) and (n_items, factors), zero without a positive.

    The last step solves the users' equations exactly for the final item factors, so fold_in() gives
    the same factors to a user with the same positives.

    positives  the result of weighted()
    """
    model = model_of(params, seed, n_threads)
    with solvable(params):
        model.fit(sparse.csr_matrix(positives), show_progress=sys.stderr.isatty())
        return exact_user_factors(model, positives), model.item_factors


def fold_in(
    positives: sparse.csr_array,
    item_factors: np.ndarray,
    params: AlsParams,
    seed: int,
    n_threads: int,
) -> np.ndarray:
    """Return factors of users who were not part of the fit, float32 (n_users, factors).

    Users without a positive have zeros.

    positives  as in `fit`, for the same items; item_factors  the result of that fit
    """
    model = model_of(params, seed, n_threads)
    model.item_factors = item_factors
    with solvable(params):
        return exact_user_factors(model, positives)


def factors_of(history: History, params: AlsParams, seed: int, n_threads: int) -> Factors:
    """Fit ALS on a history and return the factors of all its users and items."""
    factors = fit(weighted(history, params), params, seed, n_threads)
    return Factors(*factors, history.users, history.items)


def als(inputs: "Inputs", params: "NoParams") -> "Scores":
    """Score items by the dot product of the factors that the stage `als` fitted."""
    return vector_scores(inputs.factors.user_factors.__getitem__, inputs.factors.item_factors)
