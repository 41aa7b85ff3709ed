"""Evaluates ALS alone on the validation folds, without other sources and without a ranker.

usage: python stages/als_alone.py
in:    data/split, data/tables/users.parquet
out:   metrics/als_alone.json: the five metrics of ALS over all validation folds
       data/als_alone/FOLD.parquet: user_id, is_cold bool, n_relevant int32, ap_als and ndcg_als
         float64; users with a relevant item, ascending

The figures are the same as those of `evaluate`, except coverage@k if candidates.new_items adds
items. search.py runs this script for each setting in a separate folder.
"""

from pathlib import Path

from core import folds, tables
from core.history import load_fold
from core.params import SharedParams, section, shared_params
from core.script import run_script, whole_folder
from core.top_lists import EvaluateParams, check_length, concatenate

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from evaluation import results
from evaluation.judged import Judged, als_top, judge, pool
from models.als import AlsParams, factors_of
from models.model import Inputs
from models.registry import CandidatesParams, ScoresParams, SourcesParams, served_by
from models.scoring import candidate_lists, parts_of

FOLDER = Path("data/als_alone")
METRICS = Path("metrics/als_alone.json")


def judge_als(
    fold: str,
    params: AlsParams,
    of_sources: SourcesParams,
    candidates: CandidatesParams,
    k: int,
    shared: SharedParams,
) -> Judged:
    """Fit ALS for a fold and evaluate its lists."""
    candidates = candidates.model_copy(update={"new_items": "none", "sources": ["als"]})
    history, target = load_fold(fold, candidates, shared.seed)
    factors = factors_of(history, params, shared.seed, shared.n_threads)
    none = np.zeros((history.n_items, 0), dtype=np.float32)
    inputs = Inputs(history, none, shared.n_threads, factors)
    served = served_by(inputs, candidates, of_sources, ScoresParams({}))
    tops = [
        als_top(candidate_lists(served, users, shared.n_threads), k)
        for users in parts_of(target.users)
    ]
    counts = np.zeros((3, len(np.unique(target.user))), dtype=np.int64)
    return judge(history, target, {"als": concatenate(tops)}, [], counts, k)


def main() -> None:
    shared = shared_params()
    params, k = section("als", AlsParams), section("evaluate", EvaluateParams).k
    candidates = section("candidates", CandidatesParams)
    check_length(k, candidates.per_source)
    of_sources = section("sources", SourcesParams)
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    judged = []
    with whole_folder(FOLDER) as folder:
        for fold in tqdm(folds.load().of_kind("validation"), disable=None):
            judged.append(judge_als(fold, params, of_sources, candidates, k, shared))
            lists = results.per_user(judged[-1], user_ids)
            tables.write_parquet(folder / f"{fold}.parquet", lists)
    of_als = results.five_metrics(pool(judged), "als")
    tables.write_utf8(METRICS, results.to_json({"als": of_als}))


if __name__ == "__main__":
    run_script(main)
