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
    alpha: float = Field(gt=0, le=1e6)  # confidence of a positive pair; of all others it is 1
    confidence: Literal["plain", "strength"]  # strength: alpha times the strength of the feedback
    regularization: float = Field(ge=0, le=1e9)  # L2 weight
    iterations: int = Field(ge=1, le=1000)  # alternations of users and items
    half_life: HalfLife  # of the confidence of a positive, windows


def weighted(history: History, params: AlsParams, given: Columns | None = None) -> sparse.csr_array:
    """Return the positives, each with its confidence divided by alpha: CSR float32 (n_users,
    n_items). It is 1, less for an old positive, times the strength of the feedback (1 to 4).

    given  the columns of the history's rows, where no file has them (new users)
    """
    positives = decayed(history, "positives", params.half_life)
    if params.confidence == "plain":
        return positives
    weights = positives.data * strengths(history, given)[history.is_positive]
    return sparse.csr_array((weights, positives.indices, positives.indptr), shape=positives.shape)


def model_of(params: AlsParams, seed: int, n_threads: int) -> "AlternatingLeastSquares":
    """Return a model of the library that is not fitted yet."""
    from implicit.cpu.als import AlternatingLeastSquares  # late: takes 0.3 s

    return AlternatingLeastSquares(
        **params.model_dump(exclude={"confidence", "half_life"}),
        random_state=seed,
        num_threads=n_threads,
        use_cg=True,
    )


@contextlib.contextmanager
def solvable(params: AlsParams) -> Iterator[None]:
    """Raise an InputError that names the parameters where the library finds no finite factors: with
    alpha this much larger than regularization, float32 ALS has no finite solution.
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
    """Solve each user's equations for the model's item factors: float32 (n_users, factors). A
    user's factors depend on no other user's positives.
    """
    user_items = sparse.csr_matrix(positives)
    factors = model.recalculate_user(np.arange(user_items.shape[0]), user_items)
    if not np.isfinite(factors).all():
        raise ValueError("the factors are not finite")
    return factors


def fit(
    positives: sparse.csr_array, params: AlsParams, seed: int, n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of users and of items: float32 (n_users, factors) and (n_items, factors),
    zero for those without a positive. The last step solves the users' equations exactly for the
    final item factors, so a user with the same positives who is folded in later gets the same ones.

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
    """Return the factors of users who were not part of the fit: float32 (n_users, factors), zero
    for those without a positive.

    positives  as in `fit`, for the same items; item_factors  the result of that fit
    """
    model = model_of(params, seed, n_threads)
    model.item_factors = item_factors
    with solvable(params):
        return exact_user_factors(model, positives)


def factors_of(history: History, params: AlsParams, seed: int, n_threads: int) -> Factors:
    """Return the factors of all users and items of a history."""
    factors = fit(weighted(history, params), params, seed, n_threads)
    return Factors(*factors, history.users, history.items)


def als(inputs: "Inputs", params: "NoParams") -> "Scores":
    """Dot product of the factors, which the stage `als` has fitted."""
    return vector_scores(inputs.factors.user_factors.__getitem__, inputs.factors.item_factors)
