"""Implicit-feedback ALS (Hu, Koren, Volinsky 2008, conjugate gradient), by the library implicit."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Literal

from harness.params import SharedParams, Strict
from harness.script import InputError

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError
from pydantic import Field
from scipy import sparse

from feedback.columns import strengths
from folds.decay import HalfLife, decayed
from folds.factors import Factors
from folds.history import Columns, History


class AlsParams(Strict):
    """Parameters of ALS, by the names of the library `implicit`."""

    factors: int = Field(ge=1, le=4096)  # width of the factor vectors
    alpha: float = Field(gt=0, le=1e6)  # confidence of a positive pair; of all others it is 1
    confidence: Literal["plain", "strength"]  # strength: alpha times the strength of the feedback
    regularization: float = Field(ge=0, le=1e9)  # L2 weight
    iterations: int = Field(ge=1, le=1000)  # alternations of users and items
    half_life: HalfLife  # of the confidence of a positive, windows


def weighted(history: History, params: AlsParams, given: Columns | None = None) -> sparse.csr_array:
    """CSR float32 (n_users, n_items): the positives, each with its confidence over alpha: 1, less
    if it is old, times its strength, 1 to 4.

    given  the columns of the history's rows, where they stand in no file
    """
    positives = decayed(history, "positives", params.half_life)
    if params.confidence == "plain":
        return positives
    weights = positives.data * strengths(history, given)[history.is_positive]
    return sparse.csr_array((weights, positives.indices, positives.indptr), shape=positives.shape)


def model_of(params: AlsParams, shared: SharedParams) -> AlternatingLeastSquares:
    """A model of the library that is not fitted yet."""
    return AlternatingLeastSquares(
        **params.model_dump(exclude={"confidence", "half_life"}),
        random_state=shared.seed,
        num_threads=shared.n_threads,
        use_cg=True,
    )


@contextlib.contextmanager
def solvable(params: AlsParams) -> Iterator[None]:
    """InputError, which names the parameters, where the library finds no finite factors: the
    equations of float32 bear no alpha that is so much larger than the regularization.
    """
    try:
        yield
    except (ModelFitError, ValueError):
        raise InputError(
            f"params.yaml: with als.alpha {params.alpha:g}, als.regularization"
            f" {params.regularization:g} and als.factors {params.factors} the equations of ALS have"
            " no solution: raise regularization, or lower alpha or factors"
        ) from None


def exact_user_factors(model: AlternatingLeastSquares, positives: sparse.csr_array) -> np.ndarray:
    """float32 (n_users, factors): the solution of each user's equations for the items' factors of
    the model; it depends on nobody else's positives.
    """
    user_items = sparse.csr_matrix(positives)
    factors = model.recalculate_user(np.arange(user_items.shape[0]), user_items)
    if not np.isfinite(factors).all():
        raise ModelFitError("the factors are not finite")
    return factors


def fit(
    positives: sparse.csr_array, params: AlsParams, shared: SharedParams
) -> tuple[np.ndarray, np.ndarray]:
    """The factors of users and of items: float32 (n_users, factors) and (n_items, factors), zero
    for those without a positive. The last step solves the users' equations exactly for the items'
    final factors, so that a user who is folded in later, with the same positives, gets the same.

    positives  what weighted() gives: the confidence of each over alpha
    """
    model = model_of(params, shared)
    with solvable(params):
        model.fit(sparse.csr_matrix(positives), show_progress=sys.stderr.isatty())
        return exact_user_factors(model, positives), model.item_factors


def fold_in(
    positives: sparse.csr_array, item_factors: np.ndarray, params: AlsParams, shared: SharedParams
) -> np.ndarray:
    """The factors of users who come after the fit: float32 (n_users, factors), zero for those
    without a positive.

    positives  as in `fit`, of the same items; item_factors  of that fit
    """
    model = model_of(params, shared)
    model.item_factors = item_factors
    with solvable(params):
        return exact_user_factors(model, positives)


def factors_of(history: History, params: AlsParams, shared: SharedParams) -> Factors:
    """The factors of all users and items of a history."""
    factors = fit(weighted(history, params), params, shared)
    return Factors(*factors, history.users, history.items)
