"""Computes the training examples of each fold: the features and labels of candidate lists that hold
a relevant item, of a sample of users, and takes them to one machine.

usage: python stages/spark/features.py
in:    in spark.folder: logs, candidates/FOLD, item_side/FOLD.items;
       metrics/spark/receipts/STAGE.json of these
out:   in spark.folder: features/FOLD/warm.parquet, features/FOLD/cold.parquet, as
       stages/features.py has them; of every fold but test
       metrics/spark/receipts/features.json

At most candidates.label_users lists of warm users, and as many of cold ones: that bounds what the
driver takes, and what LightGBM learns from.
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
