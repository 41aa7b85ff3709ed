"""Computes the features of the candidates that teach the ranker: lists of a fold that hold a
relevant item, labelled.

usage: python stages/features.py FOLD
in:    data/split/interactions.parquet, data/split/windows.csv, data/als/FOLD.npz,
       data/candidates/FOLD.parquet, data/users.parquet, data/items.parquet, data/item_tags.npz,
       data/item_embeddings.npy
out:   data/features/FOLD.parquet, rows in the order of the candidates:
         user, item int32: rows in users.parquet and items.parquet
         label uint8: 0, or the strength of the feedback in the target window
         n_relevant int32: relevant items of the user, in the list or not
         one float32 column per feature; the metadata of the file name those that are categories

Lists without a relevant item and lists of cold users are left out, since neither can teach an
order; at most candidates.label_users are kept, drawn by seed. The fold `test` teaches nothing: its
file has neither rows nor features. The features of the lists to be ranked are computed by
`recommend`, with the same families, block by block.
"""

from pathlib import Path

from harness.params import section, shared_params
from harness.script import fold_argument, report, run_script, whole

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from boosting.examples import FEATURES, schema
from families import all, load
from folds import candidate_lists, history, tables
from folds.candidate_lists import CandidateParams, Candidates

ROWS_AT_ONCE = 100_000  # what is held in memory grows with this, not with the number of users


def teaching_lists(
    fold: str, target: history.Target, most: int, seed: int
) -> tuple[Candidates, np.ndarray]:
    """The lists that teach, and the label of every row, uint8."""
    kept, labels = [], []
    for lists in candidate_lists.read(fold):
        label = target.contains(lists.user, lists.item)
        number = np.repeat(np.arange(len(lists.group)), lists.group)
        teaches = np.bincount(number, label > 0, minlength=len(lists.group)) > 0
        rows = teaches[number] & lists.is_named
        kept.append(lists.take(rows))
        labels.append(label[rows])
    lists, label = candidate_lists.concatenate(kept), np.concatenate(labels)
    users = np.unique(lists.user)
    if most and len(users) > most:
        rows = np.isin(lists.user, np.random.default_rng(seed).choice(users, most, replace=False))
        lists, label = lists.take(rows), label[rows]
    return lists, label


def write(path: Path, context: all.Context, lists: Candidates, keys: list[np.ndarray]) -> None:
    """One row group per block of lists; keys are the label and n_relevant of every row."""
    first = 0
    _, names = all.matrix(context, all.rows_of(lists.take(slice(0)), context.history))
    with pq.ParquetWriter(
        path, schema(names, all.categorical(context)), compression="none", use_dictionary=False
    ) as file:
        for block in tqdm(
            list(candidate_lists.split(lists, ROWS_AT_ONCE)), path.name, disable=None
        ):
            values, _ = all.matrix(context, all.rows_of(block, context.history))
            rows = slice(first, first + len(block.user))
            columns = [block.user, block.item, *(key[rows] for key in keys), *values.T]
            file.write_table(
                pa.Table.from_arrays(
                    [pa.array(np.ascontiguousarray(c)) for c in columns], schema=file.schema
                )
            )
            first = rows.stop


def main() -> None:
    shared = shared_params()
    fold = fold_argument(shared.folds)
    if fold == "test":
        tables.write_parquet(FEATURES.format(fold=fold), schema([], []).empty_table())
        return
    history, target = history.load(fold)
    lists, label = teaching_lists(
        fold, target, section("candidates", CandidateParams).label_users, shared.seed
    )
    if not len(label):
        report(f"{fold}: no list of a warm user holds a relevant item; the fold teaches nothing")
    n_relevant = np.bincount(target.user, minlength=int(lists.user.max(initial=0)) + 1)[lists.user]
    context = load.load(fold, history)
    with whole(FEATURES.format(fold=fold)) as path:
        write(path, context, lists, [label, n_relevant.astype(np.int32)])


if __name__ == "__main__":
    run_script(main)
