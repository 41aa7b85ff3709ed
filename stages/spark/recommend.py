"""Ranks the candidates of the judged folds, and judges every user's top k.

usage: python stages/spark/recommend.py
in:    in spark.folder: logs, users, items, candidates/FOLD, als/FOLD.factors, item_side/FOLD.items,
       ranker, schema; metrics/spark/receipts/STAGE.json of these
out:   in spark.folder, for each judged FOLD: recommendations/FOLD: user_id, item_id as in the
       source; rank smallint, 1 is best; score float
       judged/FOLD, a row a user served: the columns stand in engine/judging.py; the models are als
       and hybrid
       metrics/spark/receipts/recommend.json
"""

import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import section, shared_params
from harness.script import report, run_script

from evaluation.top_lists import EvaluateParams, check_length
from factorization.als import AlsParams
from families import FeaturesParams
from retrieval import CandidatesParams, SourcesParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, als, shared = section("spark", SparkParams), section("als", AlsParams), shared_params()
    candidates, sources = section("candidates", CandidatesParams), section("sources", SourcesParams)
    features, k = section("features", FeaturesParams), section("evaluate", EvaluateParams).k
    check_length(k, candidates.per_source)
    with session(params, "recommend") as spark, tempfile.TemporaryDirectory() as parent:
        from spark.engine.data_sets import DataSets
        from spark.engine.distributed import map_blocks
        from spark.engine.examples import with_lists
        from spark.engine.item_side import ship
        from spark.engine.models import kept_sources
        from spark.engine.ranking import SCHEMA, Ranking, recommended, texts_of

        names = kept_sources(candidates.sources, sources)
        sets = DataSets(spark, params.folder)
        sets.check("ranker", "ranker")
        models = sets.files.fetch(sets.path("ranker"), Path(parent) / "ranker")
        logs, users = sets.read("windows", "logs"), sets.read("ingest", "users")
        items = sets.read("ingest", "items")
        for fold in shared.judged:
            files = ship(sets, fold)
            texts = spark.sparkContext.broadcast(texts_of(models, fold))
            ranking = Ranking(files, names, features, als, params, texts, k)
            rows = with_lists(logs, sets.read("candidates", f"candidates/{fold}"))
            sets.write(f"judged/{fold}", map_blocks(rows, ranking, SCHEMA))
            found = recommended(sets.read_made(f"judged/{fold}"), users, items)
            made = sets.write(f"recommendations/{fold}", found)
            report(f"{fold}: {made['rows']:,} recommendations")
        sets.save("recommend")


if __name__ == "__main__":
    run_script(main)
