"""Trains the LightGBM rankers of the judged folds on the driver, on the examples of `features`.

usage: python stages/spark/ranker.py
in:    in spark.folder: features/FOLD; metrics/spark/receipts/features.json,
       metrics/spark/receipts/windows.json
out:   in spark.folder: ranker: FOLD/SEED.txt, as in stages/ranker.py
       metrics/spark/receipts/ranker.json
"""

import sys
from pathlib import Path

sys.path[0] += "/.."  # the packages of stages/

from tempfile import TemporaryDirectory

from core.examples import Examples, read
from core.params import section, shared_params
from core.script import run_script

from rankers import trained
from rankers.training import RankerParams, train_all
from spark.engine.data_sets import data_sets, folds_in


def main() -> None:
    shared, ranker = shared_params(), section("ranker", RankerParams)
    with data_sets("ranker") as sets, TemporaryDirectory() as parent:
        for fold in shared.folds[1:]:
            sets.check("features", f"features/{fold}")
            sets.files.fetch(sets.path(f"features/{fold}"), Path(parent) / fold)

        def read_fold(fold: str) -> Examples:
            return read("examples", Path(parent) / fold)

        def train(folder: Path) -> None:
            training = folds_in(sets, shared).training(ranker.train_folds)
            for judged, boosters in train_all(read_fold, ranker, training, shared):
                trained.save(folder, judged, boosters)

        sets.write_folder("ranker", train)


if __name__ == "__main__":
    run_script(main)
