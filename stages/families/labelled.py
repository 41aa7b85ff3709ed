"""Labels candidate lists and writes them as training examples."""

from pathlib import Path

from core import candidate_lists, tables
from core.candidate_lists import CandidateListParams, Candidates
from core.examples import file_name, schema
from core.history import Target, draw_users, load_fold
from core.lists import side_by_side
from core.params import SharedParams
from core.script import report

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from families import FeaturesParams, families_of, feature_matrix
from families.context import Context, load_context, rows_of, serving

ROWS_AT_ONCE = 50_000  # per thread; memory grows with this, not with the number of users


def training_lists(
    fold: str, target: Target, group: str, max_users: int, seed: int
) -> tuple[Candidates, np.ndarray]:
    """Return the lists of warm or cold users that have a relevant item, and the labels, uint8."""
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
    """Write examples, one row group per block of lists.

    keys  the label and n_relevant of every row
    """
    families, served = families_of(context, groups), context.served.history
    empty = feature_matrix(families, rows_of(lists.take(slice(0)), served))
    columns = schema(empty.names, empty.categorical)
    blocks = list(candidate_lists.split(lists, ROWS_AT_ONCE))
    first = 0
    with pq.ParquetWriter(path, columns, compression="zstd", compression_level=1) as file:
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


def write_fold(
    folder: Path,
    fold: str,
    params: FeaturesParams,
    candidates: CandidateListParams,
    shared: SharedParams,
) -> None:
    """Write both files of a fold, each with at most candidates.label_users lists."""
    history, target = load_fold(fold, candidates, shared.seed)
    context = load_context(history, params)
    everyone = serving(context, target.users, pq.read_table(tables.USERS))
    of_group = {"warm": (context, params.groups), "cold": (everyone, params.cold_groups)}
    for group, (known, families) in of_group.items():
        lists, label = training_lists(fold, target, group, candidates.label_users, shared.seed)
        if not len(label) and group == "warm":
            report(f"{fold}: no list of a warm user has a relevant item; not used for training")
        n_users = int(lists.user.max(initial=0)) + 1
        n_relevant = np.bincount(target.user, minlength=n_users)[lists.user].astype(np.int32)
        write(folder / file_name(fold, group), known, families, lists, [label, n_relevant])
