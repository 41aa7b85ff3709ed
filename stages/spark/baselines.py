"""Top-k lists of the single models that the hybrid has to beat, judged, of the judged folds.

usage: python stages/spark/baselines.py
in:    in spark.folder: logs, item_side/FOLD.items; metrics/spark/receipts/windows.json,
       metrics/spark/receipts/item_side.json
out:   in spark.folder: baselines/FOLD for each judged FOLD, a row a user served: the columns stand
       in engine/judging.py; the models are the settings of the section `baselines`, in their order
       metrics/spark/receipts/baselines.json

`evaluate` takes of each baseline the setting that is best on the validation folds. Weightings of
item_knn that weigh users are left out: see README.md.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import section, shared_params
from harness.script import run_script

from evaluation.top_lists import EvaluateParams
from retrieval import BaselinesParams
from retrieval.popular import RecentPopularParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, shared = section("spark", SparkParams), shared_params()
    baselines, k = section("baselines", BaselinesParams), section("evaluate", EvaluateParams).k
    fallback = section("sources.recent_popular", RecentPopularParams)
    with session(params, "baselines") as spark:
        from spark.engine.contenders import Contending
        from spark.engine.data_sets import DataSets
        from spark.engine.distributed import map_blocks
        from spark.engine.folds import target_windows
        from spark.engine.item_side import ship
        from spark.engine.judging import SCHEMA
        from spark.engine.models import kept_settings
        from spark.engine.passes import in_window

        settings = kept_settings(baselines)
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        windows = target_windows(sets, shared)
        for fold in shared.judged:
            files = ship(sets, fold, has_factors=False)
            contending = Contending(files, settings, fallback, k)
            rows = in_window(logs, windows[fold])
            sets.write(f"baselines/{fold}", map_blocks(rows, contending, SCHEMA))
        sets.save("baselines")


if __name__ == "__main__":
    run_script(main)
