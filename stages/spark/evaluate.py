"""Evaluates the hybrid, ALS and the baselines on all judged folds, pooled by kind.

usage: python stages/spark/evaluate.py
in:    in spark.folder: users, judged/FOLD, baselines/FOLD, item_side/FOLD.items for each judged
       FOLD; metrics/spark/receipts/STAGE.json of these
out:   metrics/spark/map.json, metrics/spark/validation.json, metrics/spark/test.json,
       metrics/spark/baselines.json, metrics/spark/windows.csv: as written by stages/evaluate.py
       in spark.folder: per_user/FOLD/FOLD.parquet: as data/per_user/FOLD.parquet
       metrics/spark/receipts/evaluate.json

The driver collects one row per list with its hits. The local code computes everything from these
rows.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path[0] += "/.."  # the packages of stages/

from core.candidate_lists import CandidateListParams
from core.params import section, shared_params
from core.script import run_script
from core.tables import write_parquet, write_utf8
from core.top_lists import EvaluateParams, check_length

import numpy as np

from evaluation import results
from evaluation.judged import pool
from spark.engine.data_sets import data_sets, folds_in
from spark.engine.judging import collected, tried, with_best
from spark.engine.models import settings_in_use

METRICS = Path("metrics/spark")
KINDS = ("validation", "test")


def main() -> None:
    shared, settings = shared_params(), settings_in_use()
    evaluate = section("evaluate", EvaluateParams)
    check_length(evaluate.k, section("candidates", CandidateListParams).per_source)
    with data_sets("evaluate") as sets:
        folds = folds_in(sets, shared)
        every = {fold: collected(sets, fold, settings) for fold in folds.judged}
        table = tried([every[fold][0] for fold in folds.of_kind("validation")], settings)
        best = {row.model: row.number for row in table[table["is_best"]].itertuples()}
        judged = {fold: with_best(of, best) for fold, (of, _) in every.items()}
        for fold, (of, user_ids) in every.items():
            numbered = replace(judged[fold], user=np.arange(len(of.user)))
            lists = results.per_user(numbered, user_ids)
            sets.write_folder(
                f"per_user/{fold}",
                lambda folder, fold=fold, of=lists: write_parquet(folder / f"{fold}.parquet", of),
            )
    pooled = {kind: pool([judged[fold] for fold in folds.of_kind(kind)]) for kind in KINDS}
    summaries, screen = results.summaries(pooled, evaluate, shared)
    trees = {"map": screen, **summaries, "baselines": results.baselines_tree(pooled, table)}
    for name, tree in trees.items():
        write_utf8(METRICS / f"{name}.json", results.to_json(tree))
    windows = results.windows_table(judged, folds, evaluate, shared.seed)
    write_utf8(METRICS / "windows.csv", windows.to_csv(index=False))


if __name__ == "__main__":
    run_script(main)
