"""Judges ALS alone on the validation folds, without candidates of other sources and without a
ranker, so that a setting of ALS costs seconds.

usage: python stages/als_alone.py
in:    data/split/interactions.parquet, data/users.parquet; for each validation FOLD:
       data/split/folds/FOLD.json
out:   metrics/als_alone.json: of ALS on all validation folds, what `als` is in validation.json
       data/als_alone/FOLD.parquet: user_id, is_cold bool, n_relevant int32, ap_als and ndcg_als
         float64; users with a relevant item, ascending

The figures are those that `evaluate` has for ALS. stages/search.py runs this as a stage of its own.
"""

import json
from pathlib import Path

from harness.params import SharedParams, section, shared_params
from harness.script import run_script, whole, whole_folder

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from evaluation import per_user, results
from evaluation.judge import CandidateCounts, Judged, als_top, judge, pool
from evaluation.top_lists import EvaluateParams, check_length, concatenate
from factorization.als import AlsParams, factors_of
from folds import tables
from folds.history import load_fold
from retrieval import SOURCES, CandidatesParams, Inputs
from retrieval.popular import RecentPopularParams, recent_popular
from retrieval.source import NoParams, lists_of

FOLDER = Path("data/als_alone")
METRICS = Path("metrics/als_alone.json")
USERS_AT_ONCE = 8192  # what is held in memory grows with this, not with the number of users


def judge_als(
    fold: str,
    params: AlsParams,
    fallback: RecentPopularParams,
    per_source: int,
    k: int,
    shared: SharedParams,
) -> Judged:
    """The lists of one fold; fallback: of what cold users are served."""
    history, target = load_fold(fold)
    factors = factors_of(history, params, shared)
    none = np.zeros((history.n_items, 0), dtype=np.float32)
    inputs = Inputs(history, none, shared.n_threads, factors)
    sources = {"als": SOURCES["als"].fit(inputs, NoParams())}
    popular = recent_popular(inputs, fallback)
    blocks = np.split(target.users, range(USERS_AT_ONCE, len(target.users), USERS_AT_ONCE))
    tops = [als_top(lists_of(history, sources, popular, users, per_source), k) for users in blocks]
    uncounted = np.zeros(len(np.unique(target.user)), dtype=np.int64)
    counts = CandidateCounts(uncounted, uncounted, uncounted)
    return judge(history, target, {"als": concatenate(tops)}, [], counts, k)


def main() -> None:
    shared = shared_params()
    params = section("als", AlsParams)
    k = section("evaluate", EvaluateParams).k
    per_source = section("candidates", CandidatesParams).per_source
    check_length(k, per_source)
    fallback = section("sources.recent_popular", RecentPopularParams)
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    folds = shared.of_kind("validation")
    judged = {
        fold: judge_als(fold, params, fallback, per_source, k, shared)
        for fold in tqdm(folds, disable=None)
    }
    pooled = pool(list(judged.values()))
    with whole_folder(FOLDER) as folder:
        for fold, of in judged.items():
            tables.write_parquet(folder / f"{fold}.parquet", per_user.table_of(of, user_ids))
    with whole(METRICS) as path:
        path.write_text(json.dumps({"als": results.five_metrics(pooled, "als")}, indent=2) + "\n")


if __name__ == "__main__":
    run_script(main)
