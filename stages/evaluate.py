"""Judges the recommendations of both folds against ALS alone, the baselines and the ceiling of the
candidate lists.

usage: python stages/evaluate.py
in:    data/recommendations.parquet, data/recommendations_validation.parquet, data/users.parquet,
       data/items.parquet, data/split/interactions.parquet, data/split/windows.csv,
       data/ranker/feature_gain.csv, data/ranker/learning_curve.csv;
       for each FOLD of validation and test: data/candidates/FOLD.parquet,
       data/baselines/FOLD.parquet
out:   metrics/validation.json, metrics/test.json, metrics/baselines.json: see README.md there
       metrics/by_k/FOLD.csv: k, and MAP@k of every model
       metrics/slices.csv: fold, slice, n_users, and MAP@k of every model
       metrics/feature_gain.csv, metrics/learning_curve.csv: as the ranker wrote them
       metrics/results.png: MAP@k of every model by k and by slice of users on the fold test, and
         the features that gain most
       data/per_user/FOLD.parquet: user_id, is_cold bool, n_relevant int32, ap_MODEL float64 for
         every model; users with a relevant item, ascending
"""

import json
import shutil
from pathlib import Path

from harness.params import section, shared_params
from harness.script import run_script, whole

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation import pictures
from evaluation.judge import Judge, als_lists_and_ceiling, by_k, slices, summary
from evaluation.top_lists import BASELINE_LISTS, EvaluateParams, TopLists
from folds import tables
from folds.history import JUDGED, load_fold

METRICS = Path("metrics")


def read_recommendations(
    path: Path, user_ids: pa.ChunkedArray, item_ids: pa.ChunkedArray
) -> TopLists:
    """The published file, with ids turned back into rows of users.parquet and items.parquet."""
    table = pq.read_table(path)
    user, item = (
        pc.index_in(table[name], ids.combine_chunks()).to_numpy().astype(np.int32)
        for name, ids in (("user_id", user_ids), ("item_id", item_ids))
    )
    return TopLists(user, item, table["rank"].to_numpy(), table["score"].to_numpy())


def read_baselines(fold: str) -> dict[str, TopLists]:
    """The lists of each baseline."""
    table = pq.read_table(BASELINE_LISTS.format(fold=fold))
    lists = {}
    for name in table["model"].unique().to_pylist():
        rows = table.filter(pc.field("model") == name)
        lists[name] = TopLists(*(rows[n].to_numpy() for n in ("user", "item", "rank", "score")))
    return lists


def write_json(path: Path, tree: dict) -> None:
    with whole(path) as temporary:
        temporary.write_text(json.dumps(tree, indent=2) + "\n")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    with whole(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def write_per_user(
    path: Path, judge: Judge, models: dict[str, TopLists], user_ids: pa.ChunkedArray
) -> None:
    """One row per judged user, from which any two revisions can be compared user by user."""
    columns = {
        "user_id": user_ids.take(judge.users),
        "is_cold": judge.n_positives == 0,
        "n_relevant": judge.n_relevant.astype(np.int32),
    }
    columns |= {f"ap_{name}": judge.ap(lists) for name, lists in models.items()}
    tables.write_parquet(path, pa.table(columns))


def main() -> None:
    shared = shared_params()
    params = section("evaluate", EvaluateParams)
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    baselines, slice_frames = {}, []
    for fold in JUDGED:
        history, target = load_fold(fold)
        judge = Judge(history, target, params.k)
        als, candidates = als_lists_and_ceiling(fold, judge)
        hybrid = read_recommendations(tables.RECOMMENDATIONS[fold], user_ids, item_ids)
        models = {"als": als, "hybrid": hybrid, **read_baselines(fold)}
        baselines[fold] = {name: judge.metrics(models[name]) for name in list(models)[2:]}
        popularity = np.zeros(len(item_ids), dtype=np.int64)
        popularity[history.items] = np.bincount(
            history.positives.indices, minlength=history.n_items
        )
        slice_frames.append(slices(fold, judge, models, popularity))
        write_json(METRICS / f"{fold}.json", summary(judge, models, candidates, params, shared))
        curves = by_k(judge, models)
        write_csv(METRICS / "by_k" / f"{fold}.csv", curves)
        write_per_user(Path(f"data/per_user/{fold}.parquet"), judge, models, user_ids)
    write_json(METRICS / "baselines.json", baselines)
    every_slice = pd.concat(slice_frames)
    write_csv(METRICS / "slices.csv", every_slice)
    for name in ("feature_gain.csv", "learning_curve.csv"):
        with whole(METRICS / name) as path:
            shutil.copyfile(Path("data/ranker") / name, path)
    gain = pd.read_csv(METRICS / "feature_gain.csv")
    figure = pictures.results(curves, every_slice, gain)  # curves: of test, the last fold
    with whole(METRICS / "results.png") as path:
        figure.savefig(path, format="png", dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    run_script(main)
