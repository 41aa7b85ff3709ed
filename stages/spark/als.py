"""Fits implicit-feedback ALS of Spark on the positives of each fold's history.

usage: python stages/spark/als.py
in:    in spark.folder: logs; metrics/spark/receipts/windows.json
out:   in spark.folder: als/FOLD.factors/item_factors.npy, float32 (n_items, factors), for the items
       of the history in ascending order, zero for items without a positive
       metrics/spark/receipts/als.json

User factors are not stored. Later stages compute them by the last half-step of ALS (fold_in of
engine/als.py).
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

from core.params import section, shared_params
from core.script import report, run_script

import numpy as np

from models.als import AlsParams
from spark.engine.als import fit
from spark.engine.data_sets import data_sets, folds_in
from spark.engine.item_side import FACTORS


def main() -> None:
    als, shared = section("als", AlsParams), shared_params()
    with data_sets("als") as sets:
        logs = sets.read("windows", "logs")
        for fold, window in folds_in(sets, shared).windows.items():
            factors = fit(logs, window, als, sets.params, shared.seed)
            sets.write_folder(
                FACTORS.format(fold=fold),
                lambda folder, of=factors: np.save(folder / "item_factors.npy", of),
            )
            report(f"{fold}: {len(factors):,} items")


if __name__ == "__main__":
    run_script(main)
