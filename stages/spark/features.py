"""Computes the training examples of each fold and collects them on the driver.

usage: python stages/spark/features.py
in:    in spark.folder: logs, candidates/FOLD, item_side/FOLD.items;
       metrics/spark/receipts/STAGE.json of these
out:   in spark.folder: features/FOLD/examples.parquet, as in stages/features.py, for every fold
       except test
       metrics/spark/receipts/features.json

There are at most candidates.label_users lists per fold. This limits the memory of the driver and of
LightGBM.
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

from core.candidate_lists import CandidateListParams
from core.params import section, shared_params
from core.script import report, run_script

from families import FeaturesParams
from spark.engine.context import check_families
from spark.engine.data_sets import data_sets
from spark.engine.item_side import ship
from spark.engine.ranking import Described, examples_of, saved


def main() -> None:
    shared, most = shared_params(), section("candidates", CandidateListParams).label_users
    features = section("features", FeaturesParams)
    check_families(features)
    with data_sets("features") as sets:
        logs = sets.read("windows", "logs")
        for fold in shared.folds[1:]:
            described = Described(ship(sets, fold), features)
            lists = sets.read("candidates", f"candidates/{fold}")
            examples = examples_of(described, logs, lists, most, shared.seed)
            report(f"{fold}: {examples.num_rows:,} candidates")
            sets.write_folder(f"features/{fold}", saved(examples))


if __name__ == "__main__":
    run_script(main)
