"""Computes the training examples of every fold: the features and labels of candidate lists that
hold a relevant item.

usage: python stages/features.py [FOLD]      all folds of params.yaml without FOLD
in:    data/tables, data/split, data/candidates/FOLD.parquet
out:   data/features/FOLD.parquet of the lists of warm users, and data/features/FOLD_cold.parquet of
       those of cold users, rows in the order of the candidates:
         user, item int32: rows in users.parquet and items.parquet
         label uint8: 0, or the strength of the feedback in the target window
         n_relevant int32: relevant items of the user, in the list or not
         one float32 column per feature; the metadata of the file name those that are categories
       data/features/features.json: the section `features` of params.yaml, but for `scores`

Lists without a relevant item are left out, since no ranker can learn an order from them. Of each
file at most candidates.label_users lists are kept, drawn by seed. The fold `test` has no files:
nothing is trained on it. `recommend` computes the features of the lists to be ranked, with the same
families, block by block.
"""

from pathlib import Path

from core import candidate_lists, tables
from core.candidate_lists import CandidateListParams, Candidates
from core.folds import outputs_of_folds
from core.history import Target, draw_users, load_fold
from core.lists import side_by_side
from core.params import SharedParams, section, shared_params
from core.script import report, run_script

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from families import FeaturesParams, families_of, feature_matrix, save_params
from families.context import Context, load_context, rows_of, serving
from rankers.examples import FOLDER, file_name, schema

ROWS_AT_ONCE = 50_000  # in each thread: what is held in memory grows with this, not with users


def training_lists(
    fold: str, target: Target, group: str, max_users: int, seed: int
) -> tuple[Candidates, np.ndarray]:
    """The lists of warm or of cold users that a ranker can learn from, and the label of every row,
    uint8.
    """
    kept, labels = [], []
    for lists in candidate_lists.read(fold):
        label = target.strength_of(lists.user, lists.item)
        list_of_row = lists.list_of_row
        has_relevant = np.bincount(list_of_row, label > 0, minlength=len(lists.group)) > 0
        rows = has_relevant[list_of_row] & (lists.is_retrieved == (group == "warm"))
        kept.append(lists.take(rows))
        labels.append(label[rows])
    lists, label = candidate_lists.concatenate(kept), np.concatenate(labels)
    rows = np.isin(lists.user, draw_users(np.unique(lists.user), max_users, seed))
    return lists.take(rows), label[rows]


def write(
    path: Path, context: Context, groups: list[str], lists: Candidates, keys: list[np.ndarray]
) -> None:
    """One row group per block of lists; keys are the label and n_relevant of every row."""
    families, served = families_of(context, groups), context.served.history
    empty = feature_matrix(families, rows_of(lists.take(slice(0)), served))
    columns = schema(empty.names, empty.categorical)
    blocks = list(candidate_lists.split(lists, ROWS_AT_ONCE))
    first = 0
    with pq.ParquetWriter(path, columns, compression="none", use_dictionary=False) as file:
        matrices = side_by_side(
            lambda block: feature_matrix(families, rows_of(block, served)),
            blocks,
            context.n_threads,
        )
        for block, features in zip(tqdm(blocks, path.name, disable=None), matrices, strict=True):
            rows = slice(first, first + len(block.user))
            values = [block.user, block.item, *(key[rows] for key in keys), *features.values.T]
            arrays = [pa.array(np.ascontiguousarray(column)) for column in values]
            file.write_table(pa.Table.from_arrays(arrays, schema=columns))
            first = rows.stop


def write_fold(folder: Path, fold: str, params: FeaturesParams, shared: SharedParams) -> None:
    """Write both files of one fold."""
    history, target = load_fold(fold)
    max_users = section("candidates", CandidateListParams).label_users
    context = load_context(history, params)
    everyone = serving(context, target.users, pq.read_table(tables.USERS))
    of_group = {"warm": (context, params.groups), "cold": (everyone, params.cold_groups)}
    for group, (known, families) in of_group.items():
        lists, label = training_lists(fold, target, group, max_users, shared.seed)
        if not len(label) and group == "warm":
            report(
                f"{fold}: no list of a warm user holds a relevant item; nothing is trained on it"
            )
        n_users = int(lists.user.max(initial=0)) + 1
        n_relevant = np.bincount(target.user, minlength=n_users)[lists.user].astype(np.int32)
        write(folder / file_name(fold, group), known, families, lists, [label, n_relevant])


def main(arguments: list[str]) -> None:
    shared = shared_params()
    params = section("features", FeaturesParams)
    with outputs_of_folds(FOLDER, arguments) as (folds, folder):
        for fold in tqdm(folds, "folds", disable=None):
            if fold != "test":  # nothing is trained on it
                write_fold(folder, fold, params, shared)
        save_params(folder, params)


if __name__ == "__main__":
    run_script(main)
