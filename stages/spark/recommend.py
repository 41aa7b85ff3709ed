"""Ranks the candidates of the judged folds and computes the hits of every user's top k.

usage: python stages/spark/recommend.py
in:    in spark.folder: logs, users, items, candidates/FOLD, item_side/FOLD.items, ranker;
       metrics/spark/receipts/STAGE.json of these
out:   in spark.folder, for each judged FOLD: recommendations/FOLD: user_id, item_id as in the
       source; rank smallint, 1 is best; score float
       judged/FOLD, a row per served user, for als and hybrid: see schema_of in engine/judging.py
       metrics/spark/receipts/recommend.json
"""

import sys
from pathlib import Path

sys.path[0] += "/.."  # the packages of stages/

from tempfile import TemporaryDirectory

from core.candidate_lists import CandidateListParams
from core.params import section, shared_params
from core.script import report, run_script
from core.top_lists import EvaluateParams, check_length

import numpy as np

from families import FeaturesParams
from rankers.scoring import ensembles
from spark.engine.blocks import map_blocks
from spark.engine.data_sets import data_sets, folds_in
from spark.engine.item_side import ship
from spark.engine.judging import MODELS, schema_of
from spark.engine.ranking import Described, Ranking, recommended, texts_of, with_lists


def main() -> None:
    shared = shared_params()
    features, k = section("features", FeaturesParams), section("evaluate", EvaluateParams).k
    check_length(k, section("candidates", CandidateListParams).per_source)
    with data_sets("recommend") as sets, TemporaryDirectory() as parent:
        sets.check("ranker", "ranker")
        models = sets.files.fetch(sets.path("ranker"), Path(parent) / "ranker")
        logs, users = sets.read("windows", "logs"), sets.read("ingest", "users")
        items = sets.read("ingest", "items")
        for fold in folds_in(sets, shared).judged:
            texts = texts_of(models, fold)
            described = Described(ship(sets, fold), features)
            ranking = Ranking(described, sets.spark.sparkContext.broadcast(texts), k)
            rows = with_lists(logs, sets.read("candidates", f"candidates/{fold}"))
            n_halves = len(ensembles(np.zeros((len(texts), 0)))) - 1
            schema = f"{schema_of(MODELS, n_halves, MODELS)}, hybrid_score array<float>"
            sets.write(f"judged/{fold}", map_blocks(rows, ranking, schema))
            found = recommended(sets.read_made(f"judged/{fold}"), users, items)
            made = sets.write(f"recommendations/{fold}", found)
            report(f"{fold}: {made['rows']:,} recommendations")


if __name__ == "__main__":
    run_script(main)
