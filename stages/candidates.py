"""Retrieves the candidates of a fold's users, with the rank and score of every source that
retrieved them.

usage: python stages/candidates.py FOLD
in:    data/split/interactions.parquet, data/split/folds/FOLD.json, data/als/FOLD.npz,
       data/item_embeddings.npy, data/item_tags.npz
out:   data/candidates/FOLD.parquet, by user, best first (by the best rank any source gave it, then
       in the order of the sources):
         user, item int32: rows in users.parquet and items.parquet
         SOURCE_rank int16, SOURCE_score float32 for each of candidates.sources: 1 is best; 0 and
         NaN where the source did not retrieve the item

The judged folds serve every user of the target window. A cold user (no positive in the history)
gets recent popular items, all ranks 0. A label fold serves users with a relevant item only, since
only those can train a ranker: at most candidates.label_users warm ones, and as many cold ones.
"""

from harness.params import is_judged, section, shared_params
from harness.script import InputError, fold_argument, run_script, whole

import numpy as np
from tqdm import tqdm

from folds import factors, tables
from folds.candidate_lists import CANDIDATES, append, writer
from folds.history import load_fold, training_users
from retrieval import CandidatesParams, Inputs, SourcesParams, fit_all
from retrieval.source import lists_of

USERS_AT_ONCE = 8192  # what is held in memory grows with this, not with the number of users


def check_ease(params: CandidatesParams, settings: SourcesParams, n_items: int) -> None:
    """InputError where EASE is asked for candidates of a catalogue it is too large for."""
    if "ease" in params.sources and n_items > settings.ease.max_items:
        raise InputError(
            f"params.yaml: candidates.sources has ease, but the history has {n_items} items and "
            f"sources.ease.max_items is {settings.ease.max_items}; take ease out, or raise the "
            "limit (time grows with its cube, memory is 24 bytes x its square)"
        )


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("candidates", CandidatesParams)
    fold = fold_argument(arguments, shared.folds)
    history, target = load_fold(fold)
    settings = section("sources", SourcesParams)
    check_ease(params, settings, history.n_items)
    embeddings = np.load(tables.EMBEDDINGS, mmap_mode="r")[history.items]
    inputs = Inputs(
        history,
        embeddings,
        shared.n_threads,
        factors.load(factors.FACTORS.format(fold=fold)),
        tags=tables.read_tags(history.items),
    )
    sources, fallback = fit_all(params.sources, inputs, settings)
    users = target.users
    if not is_judged(fold):
        most = params.label_users
        warm, cold = (
            training_users(history, target, group, most, shared.seed) for group in ("warm", "cold")
        )
        users = np.union1d(warm, cold)
    starts = range(0, len(users), USERS_AT_ONCE)
    with whole(CANDIDATES.format(fold=fold)) as path, writer(path, params.sources) as file:
        for start in tqdm(starts, fold, disable=None):
            block = users[start : start + USERS_AT_ONCE]
            append(file, lists_of(history, sources, fallback, block, params.per_source))


if __name__ == "__main__":
    run_script(main)
