"""Evaluates ALS alone on the validation folds, without other sources and without a ranker.

usage: python stages/als_alone.py
in:    data/split, data/tables/users.parquet
out:   data/als_alone/FOLD.parquet: user_id, is_cold bool, n_relevant int32, ap_als and ndcg_als
         float64; users with a relevant item, ascending; on stdout their means

The figures are the same as those of `evaluate`. search.py runs this script for each setting in a
separate folder.
"""

from pathlib import Path

from core import folds, tables
from core.history import load_fold
from core.params import section, shared_params
from core.script import report, run_script, whole_folder
from core.top_lists import EvaluateParams, check_length, concatenate

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from evaluation import results
from evaluation.judged import als_top, judge
from models.als import AlsParams, factors_of
from models.model import Inputs
from models.registry import CandidatesParams, ScoresParams, SourcesParams, served_by
from models.scoring import candidate_lists, parts_of

FOLDER = Path("data/als_alone")


def main() -> None:
    shared = shared_params()
    params, k = section("als", AlsParams), section("evaluate", EvaluateParams).k
    candidates, of_sources = (
        section("candidates", CandidatesParams),
        section("sources", SourcesParams),
    )
    check_length(k, candidates.per_source)
    candidates = candidates.model_copy(update={"new_items": "none", "sources": ["als"]})
    user_ids = tables.ids(tables.USERS)
    with whole_folder(FOLDER) as folder:
        for fold in tqdm(folds.load().of_kind("validation"), disable=None):
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
            judged = judge(history, target, {"als": concatenate(tops)}, [], counts, k)
            lists = results.per_user(judged, user_ids)
            tables.write_parquet(folder / f"{fold}.parquet", lists)
    ap, ndcg = (pc.mean(pq.read_table(FOLDER)[f"{name}_als"]).as_py() for name in ("ap", "ndcg"))
    report(f"all validation folds: MAP@{k} {ap:.4f}, NDCG@{k} {ndcg:.4f}")


if __name__ == "__main__":
    run_script(main)
