"""Computes the training examples of each fold and collects them on the driver.

usage: python stages/spark/features.py
in:    in spark.folder: logs, candidates/FOLD, item_side/FOLD.items;
       metrics/spark/receipts/STAGE.json of these
out:   in spark.folder: features/FOLD/warm.parquet, features/FOLD/cold.parquet, as in
       stages/features.py, for every fold except test
       metrics/spark/receipts/features.json

There are at most candidates.label_users lists of warm users, and as many of cold users. This limits
the memory of the driver and of LightGBM.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from core.candidate_lists import CandidateListParams
from core.params import section, shared_params
from core.script import report, run_script

from families import FeaturesParams
from spark.engine.context import check_families
from spark.engine.data_sets import DataSets
from spark.engine.item_side import ship
from spark.engine.ranking import Described, examples_of, saved
from spark.engine.session import session
from spark.params import SparkParams


def main() -> None:
    params, shared = section("spark", SparkParams), shared_params()
    most = section("candidates", CandidateListParams).label_users
    features = section("features", FeaturesParams)
    check_families(features)
    with session(params, "features") as spark:
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        for fold in shared.folds[1:]:
            described = Described(ship(sets, fold), features)
            lists = sets.read("candidates", f"candidates/{fold}")
            examples = {}
            for group in ("warm", "cold"):
                table = examples_of(described, logs, lists, group, most, shared.seed)
                report(f"{fold}, {group} users: {table.num_rows:,} candidates")
                examples[group] = table
            sets.write_folder(f"features/{fold}", saved(examples))
        sets.save("features")


if __name__ == "__main__":
    run_script(main)
