"""Implicit-feedback ALS (Hu, Koren, Volinsky 2008, conjugate gradient), by the library implicit."""

import sys
from typing import Literal

from harness.params import SharedParams, Strict

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import Field
from scipy import sparse

from feedback.columns import strengths
from folds.factors import Factors
from folds.history import History


class AlsParams(Strict):
    """Parameters of ALS, by the names of the library `implicit`."""

    factors: int = Field(ge=1, le=4096)  # width of the factor vectors
    alpha: float = Field(gt=0)  # confidence of a positive pair; that of all other pairs is 1
    confidence: Literal["plain", "strength"]  # strength: alpha times the strength of the feedback
    regularization: float = Field(ge=0)  # L2 weight
    iterations: int = Field(ge=1, le=1000)  # alternations of users and items


def weighted(history: History) -> sparse.csr_array:
    """CSR float32 (n_users, n_items): the positives, each with its strength, 1 to 4."""
    weights = strengths(history)[history.is_positive].astype(np.float32)
    positives = history.positives
    return sparse.csr_array((weights, positives.indices, positives.indptr), shape=positives.shape)


def fit(
    positives: sparse.csr_array, params: AlsParams, shared: SharedParams
) -> tuple[np.ndarray, np.ndarray]:
    """The factors of users and of items: float32 (n_users, factors) and (n_items, factors), zero
    for those without a positive. The last step solves the users' equations exactly for the items'
    final factors, so that a user who is folded in later, with the same positives, gets the same.

    positives  1, or the strength of each: its confidence is alpha times that
    """
    model = AlternatingLeastSquares(
        **params.model_dump(exclude={"confidence"}),
        random_state=shared.seed,
        num_threads=shared.n_threads,
        use_cg=True,
    )
    user_items = sparse.csr_matrix(positives)
    model.fit(user_items, show_progress=sys.stderr.isatty())
    user_factors = model.recalculate_user(np.arange(user_items.shape[0]), user_items)
    return user_factors, model.item_factors


def factors_of(history: History, params: AlsParams, shared: SharedParams) -> Factors:
    """The factors of all users and items of a history."""
    positives = history.positives if params.confidence == "plain" else weighted(history)
    return Factors(*fit(positives, params, shared), history.users, history.items)
