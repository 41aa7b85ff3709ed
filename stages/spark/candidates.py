"""Retrieves candidates for the users of each fold and scores them by every model in use.

usage: python stages/spark/candidates.py
in:    in spark.folder: logs, als/FOLD.factors, item_side/FOLD.items;
       metrics/spark/receipts/windows.json, metrics/spark/receipts/als.json,
       metrics/spark/receipts/item_side.json
out:   in spark.folder: candidates/FOLD, a row per user: user int; n_relevant and n_found int, the
       numbers of relevant items and of those in the list; is_retrieved boolean, False for cold
       users; lists, a struct of arrays, best first: item int, SOURCE_rank smallint, MODEL_score
       float
       metrics/spark/receipts/candidates.json

Users, order, ranks and scores are the same as in stages/candidates.py.
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

from core.params import is_judged, section, shared_params
from core.script import report, run_script

from models.als import AlsParams
from models.popular import RecentPopularParams
from models.registry import CandidatesParams
from spark.engine.blocks import map_blocks
from spark.engine.data_sets import data_sets, folds_in
from spark.engine.item_side import ship
from spark.engine.lists import Retrieval, in_window, schema_of_lists, training_users
from spark.engine.models import models_in_use


def main() -> None:
    als, shared = section("als", AlsParams), shared_params()
    candidates, models = section("candidates", CandidatesParams), models_in_use()
    fallback = section("sources.recent_popular", RecentPopularParams)
    schema = schema_of_lists(candidates.sources, models)
    with data_sets("candidates") as sets:
        logs = sets.read("windows", "logs")
        for fold, window in folds_in(sets, shared).windows.items():
            files, rows = ship(sets, fold, has_factors=True), in_window(logs, window)
            if not is_judged(fold) and candidates.label_users:
                rows = training_users(rows, files, candidates.label_users, shared.seed)
            own = sets.params.als
            retrieval = Retrieval(files, is_judged(fold), models, candidates, fallback, als, own)
            made = sets.write(f"candidates/{fold}", map_blocks(rows, retrieval, schema))
            report(f"{fold}: lists of {made['rows']:,} users")


if __name__ == "__main__":
    run_script(main)
