"""Adds up what each fold knows of items: counts, levels, neighbours, weights of EASE.

usage: python stages/spark/item_side.py
in:    in spark.folder: logs, items, schema; metrics/spark/receipts/windows.json,
       metrics/spark/receipts/ingest.json
out:   in spark.folder: item_side/FOLD.items, the files of which stand in engine/item_side.py
       metrics/spark/receipts/item_side.json
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import is_judged, section, shared_params
from harness.script import report, run_script

from families import FeaturesParams
from retrieval import BaselinesParams, CandidatesParams, SourcesParams
from spark.engine.session import session
from spark.engine.settings import SparkParams


def main() -> None:
    params, shared = section("spark", SparkParams), shared_params()
    candidates, sources = section("candidates", CandidatesParams), section("sources", SourcesParams)
    features, baselines = section("features", FeaturesParams), section("baselines", BaselinesParams)
    with session(params, "item_side") as spark:
        from spark.engine.building import Catalogue, build
        from spark.engine.context import check_families
        from spark.engine.data_sets import DataSets
        from spark.engine.folds import schema_of, target_windows
        from spark.engine.item_side import ITEM_SIDE
        from spark.engine.models import ease_models, kept_settings, kept_sources, knn_models

        check_families(features)
        names = kept_sources(candidates.sources, sources)
        settings = kept_settings(baselines)
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        catalogue = Catalogue.read(sets.read("ingest", "items"), schema_of(sets))
        for fold, window in target_windows(sets, shared).items():
            of_baselines = settings if is_judged(fold) else {}
            wanted = (names, sources, features, of_baselines)
            knn, ease = knn_models(*wanted), ease_models(*wanted)
            made = sets.write_folder(
                ITEM_SIDE.format(fold=fold), build(logs, window, catalogue, knn, ease)
            )
            report(f"{fold}: {made['rows']} files")
        sets.save("item_side")


if __name__ == "__main__":
    run_script(main)
