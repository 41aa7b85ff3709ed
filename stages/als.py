"""Fits implicit-feedback ALS (Hu, Koren, Volinsky 2008, conjugate gradient) on the positives of a
fold's history, by strength and by age if params.yaml says so.

usage: python stages/als.py FOLD
in:    data/split/interactions.parquet, data/split/folds/FOLD.json
out:   data/als/FOLD.npz: user_factors, item_factors float32 (n_users, factors), (n_items, factors);
       users, items int32 (n_users,), (n_items,): rows in users.parquet and items.parquet, ascending
"""

from harness.params import section, shared_params
from harness.script import fold_argument, run_script

from factorization.als import AlsParams, factors_of
from folds.factors import FACTORS, save
from folds.history import load_fold


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("als", AlsParams)
    fold = fold_argument(arguments, shared.folds)
    history, _ = load_fold(fold)
    save(FACTORS.format(fold=fold), factors_of(history, params, shared))


if __name__ == "__main__":
    run_script(main)
