"""Fits implicit-feedback ALS (Hu, Koren, Volinsky 2008) on the positives of every fold's history.

usage: python stages/als.py [FOLD]      without FOLD, all folds of params.yaml
in:    data/split
out:   data/als/FOLD.npz: user_factors, item_factors float32 (n_users, factors), (n_items, factors);
       users, items int32 (n_users,), (n_items,): rows in users.parquet and items.parquet, ascending

als.confidence and als.half_life weight positives by strength and by age.
"""

from core.factors import COLLAPSED, FOLDER, TUNE, energy_share, save
from core.folds import outputs_of_folds
from core.history import load_history
from core.params import section, shared_params
from core.script import report, run_script

from tqdm import tqdm

from models.als import AlsParams, factors_of


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("als", AlsParams)
    shares = []
    with outputs_of_folds(FOLDER, arguments) as (folds, folder):
        for fold in tqdm(folds, "folds", disable=None):
            history = load_history(fold)
            factors = factors_of(history, params, shared.seed, shared.n_threads)
            shares.append(energy_share(factors.item_factors))
            save(folder / f"{fold}.npz", factors)
    if max(shares) > COLLAPSED:
        report(
            f"the factors collapsed to one dimension, with up to {max(shares):.1%} of their energy:"
            f" lower als.regularization (now {params.regularization:g}), or run {TUNE}"
        )


if __name__ == "__main__":
    run_script(main)
