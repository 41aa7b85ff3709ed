"""Retrieves candidates for the users of every fold and scores them by every model in use.

usage: python stages/candidates.py [FOLD]      without FOLD, all folds of params.yaml
in:    data/split/interactions.parquet, data/split/folds.json, data/als/FOLD.npz,
       data/tables/item_embeddings.npy, data/tables/item_tags.npz
out:   data/candidates/FOLD.parquet, by user, best first (by the best rank from any source, then by
       the order of the sources):
         user, item int32: rows in users.parquet and items.parquet
         SOURCE_rank int16 for each of candidates.sources: 1 is best, 0 means not retrieved
         MODEL_score float32 for each source and each model of features.scores, also for items that
         it did not retrieve; NaN for items that it does not know

In a judged fold, all users of the target window, or candidates.judged_users of them, have a list. A
cold user (no positive in the history) gets recent popular items, with all ranks 0. In a label fold,
only warm users with a relevant item have a list, at most candidates.label_users of them, because
other lists cannot train a ranker.
"""

from pathlib import Path

from core import factors, tables
from core.candidate_lists import FOLDER, append
from core.folds import outputs_of_folds
from core.history import load_fold, training_users
from core.params import SharedParams, is_judged, section, shared_params
from core.script import run_script

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from models.model import Inputs
from models.registry import CandidatesParams, ScoresParams, SourcesParams, served_by
from models.scoring import candidate_lists, parts_of


def write_fold(
    path: Path,
    fold: str,
    params: CandidatesParams,
    settings: tuple[SourcesParams, ScoresParams],
    shared: SharedParams,
) -> None:
    """Write the candidate lists of one fold."""
    history, target = load_fold(fold, params, shared.seed)
    embeddings = np.load(tables.EMBEDDINGS, mmap_mode="r")[history.items]
    of_als, tags = factors.load(factors.FOLDER / f"{fold}.npz"), tables.read_tags(history.items)
    inputs = Inputs(history, embeddings, shared.n_threads, of_als, tags)
    served = served_by(inputs, params, *settings)
    users = target.users
    if not is_judged(fold):
        users = training_users(history, target, params.label_users, shared.seed)
    nobody = candidate_lists(served, users[:0], 1)
    with pq.ParquetWriter(path, nobody.table().schema, compression="lz4") as file:
        for part in tqdm(parts_of(users), fold, leave=False, disable=None):
            append(file, candidate_lists(served, part, shared.n_threads))


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("candidates", CandidatesParams)
    settings = section("sources", SourcesParams), section("features.scores", ScoresParams)
    with outputs_of_folds(FOLDER, arguments) as (folds, folder):
        for fold in tqdm(folds, "folds", disable=None):
            write_fold(folder / f"{fold}.parquet", fold, params, settings, shared)


if __name__ == "__main__":
    run_script(main)
