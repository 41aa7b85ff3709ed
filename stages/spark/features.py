"""Computes the training examples of each fold: the features and labels of candidate lists that hold
a relevant item, of a sample of users, and takes them to one machine.

usage: python stages/spark/features.py
in:    in spark.folder: logs, candidates/FOLD, als/FOLD.factors, item_side/FOLD.items, schema;
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

from harness.params import section, shared_params
from harness.script import report, run_script

from factorization.als import AlsParams
from families import FeaturesParams
from retrieval import CandidatesParams, SourcesParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, als, shared = section("spark", SparkParams), section("als", AlsParams), shared_params()
    candidates, sources = section("candidates", CandidatesParams), section("sources", SourcesParams)
    features = section("features", FeaturesParams)
    with session(params, "features") as spark:
        from spark.engine.context import check_families
        from spark.engine.data_sets import DataSets
        from spark.engine.examples import collected, drawn, saved
        from spark.engine.item_side import ship
        from spark.engine.models import kept_sources

        check_families(features)
        names = kept_sources(candidates.sources, sources)
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        for fold in shared.folds[1:]:
            files = ship(sets, fold)
            lists = sets.read("candidates", f"candidates/{fold}")
            examples = {}
            for group in ("warm", "cold"):
                users = drawn(lists, group, candidates.label_users, shared.seed)
                examples[group] = collected(
                    logs, lists, users, files, group, names, features, als, params
                )
                report(f"{fold}, {group} users: {examples[group].num_rows:,} candidates")
            sets.write_folder(f"features/{fold}", saved(examples))
        sets.save("features")


if __name__ == "__main__":
    run_script(main)
