"""Computes the hits of the baselines in the judged folds.

usage: python stages/spark/baselines.py
in:    in spark.folder: logs, item_side/FOLD.items; metrics/spark/receipts/windows.json,
       metrics/spark/receipts/item_side.json
out:   in spark.folder: baselines/FOLD for each judged FOLD, a row per served user, for every
       setting of the section `baselines`: see schema_of in engine/judging.py
       metrics/spark/receipts/baselines.json

`evaluate` uses the setting of each baseline that is best on the validation folds. Settings that
the pipeline on Spark lacks are left out and printed.
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

from core.candidate_lists import CandidateListParams
from core.params import section, shared_params
from core.script import run_script
from core.top_lists import EvaluateParams

from models.popular import RecentPopularParams
from spark.engine.blocks import map_blocks
from spark.engine.data_sets import data_sets, folds_in
from spark.engine.item_side import ship
from spark.engine.judging import Contending, names_of, schema_of
from spark.engine.lists import in_window
from spark.engine.models import settings_in_use
from spark.params import refuse_what_only_local_has


def main() -> None:
    shared, settings = shared_params(), settings_in_use()
    k = section("evaluate", EvaluateParams).k
    candidates = section("candidates", CandidateListParams)
    refuse_what_only_local_has(candidates)
    fallback = section("sources.recent_popular", RecentPopularParams)
    with data_sets("baselines") as sets:
        logs, folds = sets.read("windows", "logs"), folds_in(sets, shared)
        for fold in folds.judged:
            files = ship(sets, fold)
            contending = Contending(files, settings, fallback, candidates.alive_windows, k)
            rows = in_window(logs, folds.windows[fold])
            schema = schema_of(names_of(settings))
            sets.write(f"baselines/{fold}", map_blocks(rows, contending, schema))


if __name__ == "__main__":
    run_script(main)
