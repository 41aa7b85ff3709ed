"""Fits implicit-feedback ALS of Spark on the positives of each fold's history.

usage: python stages/spark/als.py
in:    in spark.folder: logs, schema; metrics/spark/receipts/windows.json,
       metrics/spark/receipts/ingest.json
out:   in spark.folder: als/FOLD.factors/item_factors.npy, float32 (n_items, factors), the items of
       the history in ascending order, zero for those without a positive
       metrics/spark/receipts/als.json

Users have no factors of their own here: who needs them solves the users' equations for the items'
factors, which is ALS's last half-step (engine/context.py).
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import section, shared_params
from harness.script import report, run_script

from factorization.als import AlsParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, als, shared = section("spark", SparkParams), section("als", AlsParams), shared_params()
    with session(params, "als") as spark:
        from spark.engine.als import fit
        from spark.engine.data_sets import DataSets
        from spark.engine.folds import target_windows
        from spark.engine.item_side import FACTORS, save_factors

        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        for fold, window in target_windows(sets, shared).items():
            items, factors = fit(logs, window, als, params, shared.seed)
            sets.write_folder(FACTORS.format(fold=fold), save_factors(factors))
            report(f"{fold}: {len(items):,} items")
        sets.save("als")


if __name__ == "__main__":
    run_script(main)
