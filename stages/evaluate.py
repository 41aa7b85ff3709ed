"""Compares the hybrid with ALS alone and the baselines on the target windows of all judged folds;
folds of a kind (validation, test) are pooled.

usage: python stages/evaluate.py
in:    data/tables/users.parquet, data/tables/items.parquet, data/split/interactions.parquet,
       data/baselines/settings.csv, data/ranker/feature_gain.csv, data/ranker/learning_curve.csv;
       for each judged FOLD: data/split/folds.json, data/candidates/FOLD.parquet,
       data/baselines/FOLD.parquet, data/recommendations/FOLD.parquet,
       data/recommendations/single/FOLD.parquet
out:   metrics/map.json, shown by `dvc metrics`: MAP@k of ALS, the hybrid and the best baseline, the
         gain over ALS with its interval, and the ceiling, for validation and test
       metrics/validation.json, metrics/test.json, metrics/baselines.json: see its README.md
       metrics/windows.csv, a row per judged fold, the oldest first: fold, window, n_lists, MAP@k of
         every model, gain over ALS and its interval, the same for warm and for cold users
       metrics/windows.png: the gain over ALS by window and pooled, with its intervals
       metrics/tables: by_k_validation.csv, by_k_test.csv: k, and MAP@k of every model; slices.csv:
         kind, slice, n_lists, and MAP@k of every model; feature_gain.csv, learning_curve.csv: as
         in data/ranker
       data/per_user/FOLD.parquet for each judged FOLD, a row per user with a relevant item,
         ascending: user_id, is_cold bool, n_relevant int32, ap_MODEL and ndcg_MODEL float64 for
         every model: AP@k and NDCG@k
"""

import shutil
from pathlib import Path

from core import folds, tables, top_lists
from core.candidate_lists import CandidateListParams
from core.history import load_fold
from core.params import section, shared_params
from core.script import run_script, whole, whole_folder
from core.top_lists import EvaluateParams, check_length

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation import pictures, results
from evaluation.bootstrap import Interval
from evaluation.judged import Judged, als_lists_and_counts, judge, pool, recommended_lists

METRICS = Path("metrics")
PER_USER = Path("data/per_user")
KINDS = ("validation", "test")


def judge_fold(
    fold: str,
    settings: pd.DataFrame,
    user_ids: pa.ChunkedArray,
    item_ids: pa.ChunkedArray,
    k: int,
) -> Judged:
    """Return the judged lists of one fold; settings: the best setting of each baseline."""
    history, target = load_fold(fold)
    als, counts = als_lists_and_counts(fold, target, k)
    lists = {"als": als, "hybrid": recommended_lists(fold, user_ids, item_ids)}
    for row in settings.itertuples():
        lists[row.model] = top_lists.read(f"data/baselines/{fold}.parquet", row.model, row.number)
    single = f"data/recommendations/single/{fold}.parquet"
    n_single = pc.max(pq.read_table(single, columns=["number"])["number"]).as_py() + 1
    each = [top_lists.read(single, "hybrid", number) for number in range(n_single)]
    return judge(history, target, lists, each, counts, k)


def write_json(path: Path, tree: dict) -> None:
    with whole(path) as temporary:
        temporary.write_text(f"{results.to_json(tree)}\n", encoding="utf-8")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    with whole(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def main() -> None:
    shared = shared_params()
    params = section("evaluate", EvaluateParams)
    candidates = section("candidates", CandidateListParams)
    check_length(params.k, candidates.per_source)
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    settings = pd.read_csv("data/baselines/settings.csv")
    best = settings[settings["is_best"]]
    known = folds.load()
    judged = {fold: judge_fold(fold, best, user_ids, item_ids, params.k) for fold in known.judged}
    pooled = {kind: pool([judged[fold] for fold in known.of_kind(kind)]) for kind in KINDS}
    summaries, screen = results.summaries(pooled, params, shared)
    windows = results.windows_table(judged, known, params, shared.seed)
    every_slice = pd.concat(
        [results.slices(of).assign(kind=kind) for kind, of in pooled.items()]
    ).set_index("kind")
    curves = {kind: results.by_k(of) for kind, of in pooled.items()}

    with whole_folder(PER_USER) as folder:
        for fold, of in judged.items():
            tables.write_parquet(folder / f"{fold}.parquet", results.per_user(of, user_ids))
    write_json(METRICS / "map.json", screen)
    for kind in KINDS:
        write_json(METRICS / f"{kind}.json", summaries[kind])
    write_json(METRICS / "baselines.json", results.baselines_tree(pooled, settings))
    write_csv(METRICS / "windows.csv", windows)
    with whole_folder(METRICS / "tables") as folder:
        for kind, curve in curves.items():
            write_csv(folder / f"by_k_{kind}.csv", curve)
        write_csv(folder / "slices.csv", every_slice.reset_index())
        for name in ("feature_gain.csv", "learning_curve.csv"):
            shutil.copyfile(Path("data/ranker") / name, folder / name)
    gains = {
        kind: Interval(of["gain"], of["gain_low"], of["gain_high"], summaries[kind]["n_lists"])
        for kind, of in screen.items()
    }
    with whole(METRICS / "windows.png") as path:
        label = f"gain of the hybrid over ALS in MAP@{params.k}, with its 95 % interval"
        figure = pictures.forest(pictures.gain_rows(windows, gains), label).figure
        figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    run_script(main)
