"""Ranks the candidates of the judged folds and writes every user's top k.

usage: python stages/recommend.py
in:    data/split/interactions.parquet, data/split/windows.csv, data/users.parquet,
       data/items.parquet, data/item_tags.npz, data/item_embeddings.npy; for each FOLD of validation
       and test: data/candidates/FOLD.parquet, data/als/FOLD.npz, data/ranker/FOLD_SEED.txt
out:   data/recommendations.parquet (the fold test) and data/recommendations_validation.parquet, by
       user, best first: user_id, item_id as in the source; rank int16, 1 is best; score float32

Every user with an interaction in the target window is served. A cold user gets recent popular
items, with 1 / rank as score. Ties in score keep the order of the candidates.
"""

from harness.params import section, shared_params
from harness.script import run_script

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from boosting import models
from evaluation.top_lists import EvaluateParams, TopLists, concatenate, top_k
from families import (
    FamilyOfFold,
    FeaturesParams,
    families_of,
    feature_matrix,
    load_context,
    rows_of,
)
from folds import candidate_lists, tables
from folds.candidate_lists import Candidates
from folds.history import JUDGED, History, load_fold

ROWS_AT_ONCE = 100_000  # what is held in memory grows with this, not with the number of users


def scores(
    lists: Candidates,
    history: History,
    families: list[FamilyOfFold],
    boosters: list,
    n_threads: int,
) -> np.ndarray:
    """The ranker's score of every row, float64 (n_rows,); for rows of cold users 1 / place in the
    list.
    """
    start = np.repeat(lists.starts, lists.group)
    score = 1 / (np.arange(len(lists.user)) - start + 1)
    is_warm = lists.is_retrieved
    if is_warm.any():
        features = feature_matrix(families, rows_of(lists.take(is_warm), history))
        score[is_warm] = models.predict(boosters, features.values, n_threads)
    return score


def recommend(fold: str, k: int, n_threads: int) -> TopLists:
    """The top k of every user of the fold's target window."""
    history, _ = load_fold(fold)
    params = section("features", FeaturesParams)
    families = families_of(load_context(fold, history, params), params.groups)
    boosters = models.load(fold)
    return concatenate(
        [
            top_k(lists.user, lists.item, scores(lists, history, families, boosters, n_threads), k)
            for lists in tqdm(candidate_lists.read(fold, ROWS_AT_ONCE), fold, disable=None)
        ]
    )


def main() -> None:
    shared = shared_params()
    k = section("evaluate", EvaluateParams).k
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    for fold in JUDGED:
        top = recommend(fold, k, shared.n_threads)
        columns = {
            "user_id": user_ids.take(top.user),
            "item_id": item_ids.take(top.item),
            "rank": top.rank,
            "score": top.score,
        }
        tables.write_parquet(tables.RECOMMENDATIONS[fold], pa.table(columns))


if __name__ == "__main__":
    run_script(main)
