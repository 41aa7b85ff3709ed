"""Retrieves the candidates of the users of every fold, and scores each by every model in use.

usage: python stages/candidates.py [FOLD]      all folds of params.yaml without FOLD
in:    data/split/interactions.parquet, data/split/folds.json, data/als/FOLD.npz,
       data/tables/item_embeddings.npy, data/tables/item_tags.npz
out:   data/candidates/FOLD.parquet, by user, best first (by the best rank any source gave it, then
       in the order of the sources):
         user, item int32: rows in users.parquet and items.parquet
         SOURCE_rank int16 for each of candidates.sources: 1 is best, 0 where the source did not
         retrieve the item
         MODEL_score float32 for each source and each model of features.scores, whether it retrieved
         the item or not: NaN where the model does not know the item

In a judged fold every user of the target window has a list. A cold user (no positive in the
history) gets recent popular items, all ranks 0. In a label fold only users with a relevant item
have a list, since only those can train a ranker: at most candidates.label_users warm ones, and as
many cold ones.
"""

from pathlib import Path

from core import factors, tables
from core.candidate_lists import FOLDER, append, schema
from core.folds import outputs_of_folds
from core.history import History, Target, load_fold, training_users
from core.params import SharedParams, is_judged, section, shared_params
from core.script import InputError, run_script

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from models.model import Inputs
from models.popular import recent_popular
from models.registry import CandidatesParams, ScoresParams, SourcesParams, fit_all
from models.scoring import Served, candidate_lists, parts_of


def check_ease(params: CandidatesParams, settings: SourcesParams, n_items: int) -> None:
    """InputError where EASE is asked for candidates of a catalogue it is too large for."""
    if "ease" in params.sources and n_items > settings.ease.max_items:
        raise InputError(
            f"params.yaml: candidates.sources has ease, but the history has {n_items} items and "
            f"sources.ease.max_items is {settings.ease.max_items}; take ease out, or raise the "
            "limit (time grows with its cube, memory is 24 bytes x its square)"
        )


def users_of(
    fold: str, history: History, target: Target, params: CandidatesParams, seed: int
) -> np.ndarray:
    """Return the users who get a list, int32, ascending: rows of users.parquet."""
    if is_judged(fold):
        return target.users
    groups = [
        training_users(history, target, group, params.label_users, seed)
        for group in ("warm", "cold")
    ]
    return np.union1d(*groups)


def write_fold(
    path: Path,
    fold: str,
    params: CandidatesParams,
    settings: SourcesParams,
    scores: ScoresParams,
    shared: SharedParams,
) -> None:
    """Write the candidate lists of one fold."""
    history, target = load_fold(fold)
    check_ease(params, settings, history.n_items)
    inputs = Inputs(
        history,
        np.load(tables.EMBEDDINGS, mmap_mode="r")[history.items],
        shared.n_threads,
        factors.load(fold),
        tables.read_tags(history.items),
    )
    models = fit_all(params, settings, scores, inputs)
    fallback = recent_popular(inputs, settings.recent_popular)
    users = users_of(fold, history, target, params, shared.seed)
    alive = history.alive(params.alive_windows)
    served = Served(history, models, params.sources, fallback, params.per_source, alive)
    columns = schema(params.sources, list(models))
    with pq.ParquetWriter(path, columns, compression="lz4") as file:
        for part in tqdm(parts_of(users), fold, leave=False, disable=None):
            append(file, candidate_lists(served, part, shared.n_threads))


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("candidates", CandidatesParams)
    settings = section("sources", SourcesParams)
    scores = section("features.scores", ScoresParams)
    with outputs_of_folds(FOLDER, arguments) as (folds, folder):
        for fold in tqdm(folds, "folds", disable=None):
            write_fold(folder / f"{fold}.parquet", fold, params, settings, scores, shared)


if __name__ == "__main__":
    run_script(main)
