"""Retrieves the candidates of each fold's users, with the rank and score of every source that
retrieved them.

usage: python stages/spark/candidates.py
in:    in spark.folder: logs, als/FOLD.factors, item_side/FOLD.items;
       metrics/spark/receipts/windows.json, metrics/spark/receipts/als.json,
       metrics/spark/receipts/item_side.json
out:   in spark.folder: candidates/FOLD, a row a user: user int; n_positives int, in the history;
       n_relevant, n_found int, relevant items and those in the list; is_retrieved boolean, whether
       a source was asked; and lists, best first: candidate array<int>, SOURCE_rank array<smallint>,
       SOURCE_score array<float>
       metrics/spark/receipts/candidates.json

Order, ranks and scores are those of stages/candidates.py, and so are the users: of a judged fold
all of the target window; of a label fold at most candidates.label_users warm ones, and as many cold
ones, with a relevant item.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import is_judged, section, shared_params
from harness.script import report, run_script

from factorization.als import AlsParams
from retrieval import CandidatesParams, SourcesParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, als, shared = section("spark", SparkParams), section("als", AlsParams), shared_params()
    candidates, sources = section("candidates", CandidatesParams), section("sources", SourcesParams)
    with session(params, "candidates") as spark:
        from spark.engine.candidates import schema_of_lists
        from spark.engine.data_sets import DataSets
        from spark.engine.distributed import map_blocks
        from spark.engine.folds import target_windows
        from spark.engine.item_side import ship
        from spark.engine.models import kept_sources
        from spark.engine.passes import Retrieval, in_window, users_of_fold

        names = kept_sources(candidates.sources, sources)
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        for fold, window in target_windows(sets, shared).items():
            files = ship(sets, fold)
            rows = in_window(logs, window)
            if not is_judged(fold) and candidates.label_users:
                rows = users_of_fold(rows, files, candidates.label_users, shared.seed)
            retrieval = Retrieval(
                files, is_judged(fold), names, sources, candidates.per_source, als, params
            )
            lists = map_blocks(rows, retrieval, schema_of_lists(names))
            made = sets.write(f"candidates/{fold}", lists)
            report(f"{fold}: lists of {made['rows']:,} users")
        sets.save("candidates")


if __name__ == "__main__":
    run_script(main)
