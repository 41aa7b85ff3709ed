"""Fits implicit-feedback ALS (Hu, Koren, Volinsky 2008, conjugate gradient) on the positives of a
fold's history, by strength and by age if params.yaml says so.

usage: python stages/als.py FOLD
in:    data/split/interactions.parquet, data/split/folds/FOLD.json
out:   data/als/FOLD.npz: user_factors, item_factors float32 (n_users, factors), (n_items, factors);
       users, items int32 (n_users,), (n_items,): rows in users.parquet and items.parquet, ascending
"""

import sys
from typing import Literal

from harness.params import SharedParams, Strict, section, shared_params
from harness.script import fold_argument, run_script

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import Field
from scipy import sparse

from feedback.columns import strengths
from folds.decay import HalfLife, decayed
from folds.factors import FACTORS, Factors, save
from folds.history import History, load_fold


class AlsParams(Strict):
    """Parameters of ALS, by the names of the library `implicit`."""

    factors: int = Field(ge=1, le=4096)  # width of the factor vectors
    alpha: float = Field(gt=0)  # confidence of a positive pair; that of all other pairs is 1
    confidence: Literal["plain", "strength"]  # strength: alpha times the strength of the feedback
    regularization: float = Field(ge=0)  # L2 weight
    iterations: int = Field(ge=1, le=1000)  # alternations of users and items
    half_life: HalfLife  # of the confidence of a positive, windows


def weighted(history: History, params: AlsParams) -> sparse.csr_array:
    """CSR float32 (n_users, n_items): the positives, each with its confidence over alpha: 1, less
    if it is old, times its strength, 1 to 4.
    """
    positives = decayed(history, "positives", params.half_life)
    if params.confidence == "plain":
        return positives
    weights = positives.data * strengths(history)[history.is_positive]
    return sparse.csr_array((weights, positives.indices, positives.indptr), shape=positives.shape)


def fit(
    positives: sparse.csr_array, params: AlsParams, shared: SharedParams
) -> tuple[np.ndarray, np.ndarray]:
    """The factors of users and of items: float32 (n_users, factors) and (n_items, factors), zero
    for those without a positive. The last step solves the users' equations exactly for the items'
    final factors, so that a user who is folded in later, with the same positives, gets the same.

    positives  what weighted() gives: the confidence of each over alpha
    """
    model = AlternatingLeastSquares(
        **params.model_dump(exclude={"confidence", "half_life"}),
        random_state=shared.seed,
        num_threads=shared.n_threads,
        use_cg=True,
    )
    user_items = sparse.csr_matrix(positives)
    model.fit(user_items, show_progress=sys.stderr.isatty())
    user_factors = model.recalculate_user(np.arange(user_items.shape[0]), user_items)
    return user_factors, model.item_factors


def main() -> None:
    shared = shared_params()
    params = section("als", AlsParams)
    fold = fold_argument(shared.folds)
    history, _ = load_fold(fold)
    user_factors, item_factors = fit(weighted(history, params), params, shared)
    save(
        FACTORS.format(fold=fold), Factors(user_factors, item_factors, history.users, history.items)
    )


if __name__ == "__main__":
    run_script(main)
