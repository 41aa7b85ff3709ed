"""Judges the recommendations of all judged folds against ALS alone, the baselines and the ceiling
of the candidate lists; folds of a kind (validation, test) are pooled.

usage: python stages/spark/evaluate.py
in:    in spark.folder: users, judged/FOLD, baselines/FOLD, item_side/FOLD.items for each judged
       FOLD; metrics/spark/receipts/STAGE.json of these
out:   metrics/spark/map.json, metrics/spark/validation.json, metrics/spark/test.json,
       metrics/spark/baselines.json, metrics/spark/windows.csv: as stages/evaluate.py has them in
       metrics/
       in spark.folder: per_user/FOLD/FOLD.parquet: as data/per_user/FOLD.parquet
       metrics/spark/receipts/evaluate.json

The driver takes one row a list: what the lists hit, not the lists. All that is made of these rows
is made by the code of the local pipeline.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the packages of stages/

from harness.params import section, shared_params
from harness.script import run_script, whole

import pandas as pd

from evaluation import results
from evaluation.figures import to_json
from evaluation.judge import pool
from evaluation.top_lists import EvaluateParams, check_length
from folds.candidate_lists import CandidateListParams
from retrieval import BaselinesParams
from spark.engine.session import session
from spark.engine.settings import SparkParams

METRICS = Path("metrics/spark")
KINDS = ("validation", "test")


def main() -> None:
    params, evaluate = section("spark", SparkParams), section("evaluate", EvaluateParams)
    baselines, shared = section("baselines", BaselinesParams), shared_params()
    candidates = section("candidates", CandidateListParams)
    check_length(evaluate.k, candidates.per_source)
    with session(params, "evaluate") as spark:
        from spark.engine.data_sets import DataSets
        from spark.engine.folds import target_windows
        from spark.engine.models import kept_settings
        from spark.engine.pooling import Collected, tried

        settings = kept_settings(baselines)
        sets = DataSets(spark, params.folder)
        windows = target_windows(sets, shared)
        collected = {
            fold: Collected.read(sets, fold, settings, evaluate.k) for fold in shared.judged
        }
        table = tried(collected, shared.of_kind("validation"), settings)
        best = {row.model: row.number for row in table[table["is_best"]].itertuples()}
        judged = {fold: of.judged(best) for fold, of in collected.items()}
        for fold, of in judged.items():
            sets.write_folder(f"per_user/{fold}", collected[fold].per_user(fold, of))
        sets.save("evaluate")
    pooled = {kind: pool([judged[fold] for fold in shared.of_kind(kind)]) for kind in KINDS}
    screen, summaries = {}, {}
    for kind, of in pooled.items():
        summaries[kind] = results.summary(of, evaluate, shared.seed, shared.n_threads)
        screen[kind] = results.one_screen(summaries[kind], of)
    rows = [
        {
            "fold": fold,
            "window": windows[fold],
            **results.window_row(judged[fold], evaluate, shared.seed),
        }
        for fold in reversed(shared.judged)
    ]
    trees = {"map": screen, **summaries, "baselines": results.baselines_tree(pooled, table)}
    for name, tree in trees.items():
        with whole(METRICS / f"{name}.json") as path:
            path.write_text(f"{to_json(tree)}\n", encoding="utf-8")
    with whole(METRICS / "windows.csv") as path:
        pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")


if __name__ == "__main__":
    run_script(main)
