"""Trains the LightGBM rankers of the judged folds on this machine, on the sample of `features`.

usage: python stages/spark/ranker.py
in:    in spark.folder: features/FOLD; metrics/spark/receipts/features.json
out:   in spark.folder: ranker: FOLD/SEED.txt and FOLD/cold/SEED.txt, as stages/ranker.py has them
       metrics/spark/receipts/ranker.json

The same code as there. LightGBM's ranking over several machines is not used: see README.md.
"""

import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import section, shared_params
from harness.script import run_script

from boosting import models
from boosting.examples import Examples, read_file
from boosting.rolling import train_all
from boosting.training import RankerParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, ranker = section("spark", SparkParams), section("ranker", RankerParams)
    shared = shared_params()
    with session(params, "ranker") as spark, tempfile.TemporaryDirectory() as parent:
        from spark.engine.data_sets import DataSets

        sets = DataSets(spark, params.folder)
        for fold in shared.folds[1:]:
            sets.check("features", f"features/{fold}")
            sets.files.fetch(sets.path(f"features/{fold}"), Path(parent) / fold)

        def read(fold: str, group: str) -> Examples:
            return read_file(Path(parent) / fold / f"{group}.parquet")

        def train(folder: Path) -> None:
            def save(judged: str, group: str, boosters: list) -> None:
                models.save(folder, judged, group, boosters)

            train_all(read, ranker, shared, save)

        sets.write_folder("ranker", train)
        sets.save("ranker")


if __name__ == "__main__":
    run_script(main)
