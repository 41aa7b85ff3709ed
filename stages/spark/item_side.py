"""Sums up what each fold needs about items: counts, levels, neighbours, weights of EASE.

usage: python stages/spark/item_side.py
in:    in spark.folder: logs, items, schema; metrics/spark/receipts/windows.json,
       metrics/spark/receipts/ingest.json
out:   in spark.folder: item_side/FOLD.items, whose files are listed in engine/item_side.py
       metrics/spark/receipts/item_side.json
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from core.params import is_judged, section, shared_params
from core.script import report, run_script

from spark.engine.building import Catalogue, build
from spark.engine.data_sets import DataSets, folds_in
from spark.engine.item_side import ITEM_SIDE
from spark.engine.models import models_in_use, settings_in_use
from spark.engine.session import session
from spark.params import SparkParams
from spark.raw.tables import Schema


def main() -> None:
    params, shared = section("spark", SparkParams), shared_params()
    models, settings = [*models_in_use().values()], settings_in_use()
    baselines = [(name, one) for name, of in settings.items() for one in of.values()]
    with session(params, "item_side") as spark:
        sets = DataSets(spark, params.folder)
        logs = sets.read("windows", "logs")
        catalogue = Catalogue.read(sets.read("ingest", "items"), Schema.read(sets))
        for fold, window in folds_in(sets, shared).windows.items():
            wanted = [*models, *(baselines if is_judged(fold) else [])]
            save = build(logs, window, catalogue, wanted)
            made = sets.write_folder(ITEM_SIDE.format(fold=fold), save)
            report(f"{fold}: {made['rows']} files")
        sets.save("item_side")


if __name__ == "__main__":
    run_script(main)
