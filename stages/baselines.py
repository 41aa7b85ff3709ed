"""Top-k lists of the single models that the hybrid has to beat, for a judged fold.

usage: python stages/baselines.py FOLD
in:    data/split/interactions.parquet, data/split/windows.csv, data/item_embeddings.npy
out:   data/baselines/FOLD.parquet, by model, by user, best first: model string, user, item int32
       (rows in users.parquet and items.parquet), rank int16 (1 is best), score float32

The models are the sources that the section `baselines` names, with parameters of their own. Every
user of the target window is served; what a model leaves open, and every cold user, is filled up
with recent popular items.
"""

from harness.params import section, shared_params
from harness.script import fold_argument, run_script, whole

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from evaluation.top_lists import BASELINE_LISTS, EvaluateParams
from folds import tables
from folds.candidate_lists import Retrieved
from folds.history import JUDGED, History, load_fold
from retrieval import BaselinesParams, Inputs, TopN, fit

USERS_AT_ONCE = 8192
SCHEMA = pa.schema(
    {
        "model": pa.string(),
        "user": pa.int32(),
        "item": pa.int32(),
        "rank": pa.int16(),
        "score": pa.float32(),
    }
)


def lists_of(
    history: History, baseline: TopN, users: np.ndarray, recent: Retrieved, k: int
) -> Retrieved:
    """The top k of these rows of users.parquet; items of the history, -1 where there are fewer
    than k unseen ones. `recent`, for the same users, fills up what the baseline leaves open.
    """
    known = history.user_of(users)
    is_warm = history.n_positives_of(users) > 0
    found = baseline(known[is_warm], k)
    item = np.concatenate([np.full((len(users), k), -1), recent.item], axis=1)
    item[is_warm, :k] = found.item
    score = np.concatenate([np.zeros((len(users), k)), np.zeros_like(recent.score)], axis=1)
    score[is_warm, :k] = found.score
    return first_k(item, score, k)


def first_k(item: np.ndarray, score: np.ndarray, k: int) -> Retrieved:
    """The first k distinct items of each row, -1 skipped."""
    order = np.argsort(item, axis=1, kind="stable")
    ordered = np.take_along_axis(item, order, 1)
    is_first = np.diff(ordered, axis=1, prepend=-2) != 0
    keep = np.empty_like(is_first)
    np.put_along_axis(keep, order, is_first & (ordered >= 0), 1)
    place = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    item = np.where(np.take_along_axis(keep, place, 1), np.take_along_axis(item, place, 1), -1)
    return Retrieved(item, np.take_along_axis(score, place, 1))


def table(name: str, users: np.ndarray, found: Retrieved, items: np.ndarray) -> pa.Table:
    """The rows of one model."""
    row, place = np.nonzero(found.item >= 0)
    columns = [
        pa.array([name]).take(pa.array(np.zeros(len(row), dtype=np.int64))),
        users[row].astype(np.int32),
        items[found.item[row, place]],
        (place + 1).astype(np.int16),
        found.score[row, place].astype(np.float32),
    ]
    return pa.table(columns, schema=SCHEMA)


def main() -> None:
    shared = shared_params()
    fold = fold_argument(list(JUDGED))
    k = section("evaluate", EvaluateParams).k
    params = section("baselines", BaselinesParams)
    history, target = load_fold(fold)
    inputs = Inputs(history, np.load(tables.EMBEDDINGS)[history.items], shared.n_threads)
    recent_popular = fit("recent_popular", inputs, params)
    blocks = [
        (users, recent_popular(history.user_of(users), 2 * k))
        for users in np.split(target.users, range(USERS_AT_ONCE, len(target.users), USERS_AT_ONCE))
    ]
    with whole(BASELINE_LISTS.format(fold=fold)) as path, pq.ParquetWriter(path, SCHEMA) as file:
        for name in tqdm(params.names, fold, disable=None):
            baseline = fit(name, inputs, params)
            for users, recent in blocks:
                found = lists_of(history, baseline, users, recent, k)
                file.write_table(table(name, users, found, history.items))


if __name__ == "__main__":
    run_script(main)
