"""Names the candidates of a fold's users, with the rank and score of every source that named them.

usage: python stages/candidates.py FOLD
in:    data/split/interactions.parquet, data/split/windows.csv, data/als/FOLD.npz,
       data/item_embeddings.npy
out:   data/candidates/FOLD.parquet, by user, best first (by the best rank any source gave it, then
       in the order of the sources):
         user, item int32: rows in users.parquet and items.parquet
         SOURCE_rank int16, SOURCE_score float32 for each of candidates.sources: 1 is best; 0 and
         NaN where the source did not name the item

The judged folds serve every user of the target window. A cold user (no positive in the history)
gets recent popular items, all ranks 0. A label fold serves warm users with a relevant item only,
at most candidates.label_users of them, since only those can teach the ranker.
"""

from dataclasses import replace

from harness.params import section, shared_params
from harness.script import InputError, fold_argument, run_script, whole

import numpy as np
from tqdm import tqdm

from folds import factors, history, tables
from folds.candidate_lists import (
    CANDIDATES,
    CandidateParams,
    Candidates,
    append,
    concatenate,
    merge,
    unnamed,
    writer,
)
from folds.factors import FACTORS
from retrieval.params import Sources
from retrieval.sources import SOURCES, Inputs, recent_popular

USERS_AT_ONCE = 8192  # what is held in memory grows with this, not with the number of users


def lists_of(inputs: Inputs, users: np.ndarray, params: CandidateParams) -> Candidates:
    """The lists of these rows of users.parquet, ascending; users and items as in the file."""
    history = inputs.history
    warm = users[history.n_positives_of(users) > 0]
    cold = np.setdiff1d(users, warm)
    known = history.user_of(warm)
    found = {name: SOURCES[name](inputs, known, params.per_source) for name in params.sources}
    cold_users = history.user_of(cold)
    fallback = recent_popular(inputs, cold_users, params.per_source)
    lists = concatenate(
        [merge(warm, found, history.n_items), unnamed(cold, fallback, params.sources)]
    )
    lists = lists.take(np.argsort(lists.user, kind="stable"))
    return replace(lists, item=history.items[lists.item])


def check_ease(params: CandidateParams, settings: Sources, n_items: int) -> None:
    """InputError where EASE is asked for candidates of a catalogue it is too large for."""
    if "ease" in params.sources and n_items > settings.ease.max_items:
        raise InputError(
            f"params.yaml: candidates.sources has ease, but the history has {n_items} items and "
            f"sources.ease.max_items is {settings.ease.max_items}; take ease out, or raise the "
            "limit (time grows with its cube, memory is 24 bytes x its square)"
        )


def main() -> None:
    shared = shared_params()
    params = section("candidates", CandidateParams)
    fold = fold_argument(shared.folds)
    history, target = history.load(fold)
    settings = section("sources", Sources)
    check_ease(params, settings, history.n_items)
    embeddings = np.load(tables.EMBEDDINGS, mmap_mode="r")[history.items]
    inputs = Inputs(
        history, settings, shared.n_threads, embeddings, factors.load(FACTORS.format(fold=fold))
    )
    users = (
        target.users
        if fold in history.JUDGED
        else history.teaching_users(history, target, params.label_users, shared.seed)
    )
    starts = range(0, len(users), USERS_AT_ONCE)
    with whole(CANDIDATES.format(fold=fold)) as path, writer(path, params.sources) as file:
        for start in tqdm(starts, fold, disable=None):
            append(file, lists_of(inputs, users[start : start + USERS_AT_ONCE], params))


if __name__ == "__main__":
    run_script(main)
