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
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from core.params import section, shared_params
from core.script import report, run_script

import numpy as np

from models.als import AlsParams
from spark.engine.als import fit
from spark.engine.data_sets import DataSets, folds_in
from spark.engine.item_side import FACTORS
from spark.engine.session import session
from spark.params import SparkParams


def main() -> None:
    params, als, shared = section("spark", SparkParams), section("als", AlsParams), shared_params()
    with session(params, "als") as spark:
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        for fold, window in folds_in(sets, shared).windows.items():
            factors = fit(logs, window, als, params, shared.seed)

            def save(folder: Path, factors: np.ndarray = factors) -> None:
                np.save(folder / "item_factors.npy", factors)

            sets.write_folder(FACTORS.format(fold=fold), save)
            report(f"{fold}: {len(factors):,} items")
        sets.save("als")


if __name__ == "__main__":
    run_script(main)
