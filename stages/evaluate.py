"""Compares the hybrid with ALS alone and the baselines on the target windows of all judged folds.

usage: python stages/evaluate.py
in:    data/tables/users.parquet, data/tables/items.parquet, data/tables/item_embeddings.npy,
       data/split/interactions.parquet,
       data/baselines/settings.csv, data/ranker/feature_gain.csv, data/ranker/learning_curve.csv;
       for each judged FOLD: data/split/folds.json, data/candidates/FOLD.parquet,
       data/baselines/FOLD.parquet, data/recommendations/FOLD.parquet,
       data/recommendations/halves/FOLD.parquet
out:   metrics/map.json: MAP@k of ALS, the hybrid and the best baseline, the gain over ALS with its
         interval, and the ceiling, pooled over the validation and over the test folds
       metrics/validation.json, metrics/test.json, metrics/baselines.json: see its README.md
       metrics/windows.csv, a row per judged fold, oldest first: fold, window, n_lists, MAP@k of
         every model, gain over ALS and its interval, the same for warm and for cold users
       metrics/tables: windows.png: the gain over ALS by window and pooled, with its intervals;
         by_k_validation.csv, by_k_test.csv: k, and MAP@k of every model; slices.csv:
         kind, slice, n_lists, and MAP@k of every model; item_age.csv: see results.item_age_table;
         feature_gain.csv, learning_curve.csv: as in data/ranker
       data/per_user/FOLD.parquet for each judged FOLD, a row per user with a relevant item,
         ascending: user_id, is_cold bool, n_relevant int32, ap_MODEL and ndcg_MODEL float64 for
         every model: AP@k and NDCG@k; halves_ap, halves_ndcg: lists of float64, those of each half
         of the ranker's models, absent for one model; int64 n_positives in the history, n_found
         among the candidates; for MODEL als and hybrid: popular_MODEL, tail_MODEL: AP@k for the
         relevant items in the popular tenth of the catalogue and for all others, NaN without such
         items; popularity_MODEL, diversity_MODEL
"""

import shutil
from pathlib import Path

from core import folds, tables, top_lists
from core.candidate_lists import CandidateListParams
from core.history import load_fold, report_new_items
from core.params import section, shared_params
from core.products import normalised
from core.script import report, run_script, whole_folder
from core.top_lists import EvaluateParams, TopLists, check_length

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation import pictures, results
from evaluation.judged import Judged, als_lists_and_counts, judge, pool

METRICS = Path("metrics")
PER_USER = Path("data/per_user")
KINDS = ("validation", "test")


def judge_fold(
    fold: str, best: pd.DataFrame, candidates: CandidateListParams, k: int, seed: int
) -> tuple[Judged, pd.DataFrame]:
    """Return the judged lists of one fold, and its results by age of the item.

    best  setting of each baseline
    """
    history, target = load_fold(fold, candidates, seed)
    als, counts = als_lists_and_counts(fold, target, k)
    table = pq.read_table(tables.RECOMMENDATIONS.format(fold=fold))
    user, item = (
        pc.index_in(table[name], pq.read_table(path)[name].combine_chunks()).to_numpy().astype("i4")
        for name, path in (("user_id", tables.USERS), ("item_id", tables.ITEMS))
    )
    hybrid = TopLists(user, item, table["rank"].to_numpy(), table["score"].to_numpy())
    lists = {"als": als, "hybrid": hybrid}
    for row in best.itertuples():
        lists[row.model] = top_lists.read(f"data/baselines/{fold}.parquet", row.model, row.number)
    path = f"data/recommendations/halves/{fold}.parquet"
    numbers = pc.unique(pq.read_table(path, columns=["number"])["number"]).to_pylist()
    halves = [top_lists.read(path, "hybrid", number) for number in numbers]
    vectors = normalised(np.load(tables.EMBEDDINGS)[history.items])
    judged = judge(history, target, lists, halves, counts, k, vectors)
    return judged, results.by_item_age(history, target, lists, k)


def main() -> None:
    shared = shared_params()
    params = section("evaluate", EvaluateParams)
    candidates = section("candidates", CandidateListParams)
    check_length(params.k, candidates.per_source)
    user_ids = tables.ids(tables.USERS)
    settings = pd.read_csv("data/baselines/settings.csv")
    best = settings[settings["is_best"]]
    known = folds.load()
    judged, of_ages = {}, {}
    for fold in known.judged:
        found = judge_fold(fold, best, candidates, params.k, shared.seed)
        judged[fold], of_ages[fold] = found
    ages = results.item_age_table(of_ages)
    pooled = {kind: pool([judged[fold] for fold in known.of_kind(kind)]) for kind in KINDS}
    summaries, screen = results.summaries(pooled, params, shared)
    windows = results.windows_table(judged, known, params, shared.seed)
    slices = pd.concat({kind: results.slices(of) for kind, of in pooled.items()}, names=["kind"])
    label = f"gain of the hybrid over ALS in MAP@{params.k}, with its 95 % interval"
    axes, _ = pictures.forest(pictures.gain_rows(windows, summaries, params.k), label)

    with whole_folder(PER_USER) as folder:
        for fold, of in judged.items():
            tables.write_parquet(folder / f"{fold}.parquet", results.per_user(of, user_ids))
    trees = {"map": screen, **summaries, "baselines": results.baselines_tree(pooled, settings)}
    for name, tree in trees.items():
        tables.write_utf8(METRICS / f"{name}.json", results.to_json(tree))
    tables.write_utf8(METRICS / "windows.csv", windows.to_csv(index=False))
    with whole_folder(METRICS / "tables") as folder:
        for kind, of in pooled.items():
            results.by_k(of).to_csv(folder / f"by_k_{kind}.csv", index=False)
        slices.reset_index("kind").to_csv(folder / "slices.csv", index=False)
        ages.to_csv(folder / "item_age.csv", index=False)
        for name in ("feature_gain.csv", "learning_curve.csv"):
            shutil.copyfile(Path("data/ranker") / name, folder / name)
        axes.figure.savefig(folder / "windows.png", dpi=120, metadata={"Software": None})
    shares = ages[(ages["age"] == results.NEW) & (ages["fold"] != "all")]
    report_new_items(dict(zip(shares["fold"], shares["share"], strict=True)))
    for name in results.worse_than(summaries["validation"]):
        report(
            f"on the validation folds, the hybrid is significantly worse than {name}: do not use it"
            " yet; metrics/report.html lists possible causes"
        )


if __name__ == "__main__":
    run_script(main)
