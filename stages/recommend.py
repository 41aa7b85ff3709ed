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

import process  # noqa: F401, before all others

# isort: split

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

import candidate_lists
import families
import feature_context
import folds
import ranker_models
import tables
from candidate_lists import Candidates
from params import run as run_params
from params import section
from stage import run
from tables import RECOMMENDATIONS
from top_lists import Evaluate, TopLists, concatenate, top_k

ROWS_AT_ONCE = 100_000  # what is held in memory grows with this, not with the number of users


def scores(
    lists: Candidates, context: families.Context, models: list, n_threads: int
) -> np.ndarray:
    """float64 (n_rows,): the ranker's score of every row; for rows of cold users 1 / place in the
    list.
    """
    start = np.repeat(lists.starts, lists.group)
    score = 1 / (np.arange(len(lists.user)) - start + 1)
    is_warm = lists.is_named
    if is_warm.any():
        warm = lists.take(is_warm)
        values, _ = families.matrix(context, families.rows_of(warm, context.history))
        score[is_warm] = ranker_models.predict(models, values, n_threads)
    return score


def recommend(fold: str, k: int, n_threads: int) -> TopLists:
    """The top k of every user of the fold's target window."""
    history, _ = folds.load(fold)
    context = feature_context.load(fold, history)
    models = ranker_models.load(fold)
    return concatenate(
        [
            top_k(lists.user, lists.item, scores(lists, context, models, n_threads), k)
            for lists in tqdm(candidate_lists.read(fold, ROWS_AT_ONCE), fold, disable=None)
        ]
    )


def main() -> None:
    run = run_params()
    k = section("evaluate", Evaluate).k
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    for fold in folds.JUDGED:
        top = recommend(fold, k, run.n_threads)
        columns = {
            "user_id": user_ids.take(top.user),
            "item_id": item_ids.take(top.item),
            "rank": top.rank,
            "score": top.score,
        }
        tables.write_parquet(RECOMMENDATIONS[fold], pa.table(columns))


if __name__ == "__main__":
    run(main)
