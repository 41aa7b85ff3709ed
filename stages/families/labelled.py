"""Labels candidate lists and writes them as training examples."""

from pathlib import Path

from core import candidate_lists
from core.candidate_lists import ROWS_AT_ONCE, CandidateListParams, Candidates
from core.examples import schema
from core.history import Target, draw_users, load_fold
from core.lists import side_by_side
from core.params import SharedParams
from core.script import report

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from families import FeatureMatrix, FeaturesParams, families_of, feature_matrix
from families.context import load_context, rows_of


def training_lists(
    fold: str, target: Target, max_users: int, seed: int
) -> tuple[Candidates, np.ndarray]:
    """Return the lists of warm users that have a relevant item, and the labels, uint8."""
    kept, labels = [], []
    for lists in candidate_lists.read(fold):
        label = target.strength_of(lists.user, lists.item)
        list_of_row = lists.list_of_row
        has_relevant = np.bincount(list_of_row, label > 0, minlength=len(lists.group)) > 0
        rows = has_relevant[list_of_row] & lists.is_retrieved
        kept.append(lists.take(rows))
        labels.append(label[rows])
    lists, label = candidate_lists.concatenate(kept), np.concatenate(labels)
    rows = np.isin(lists.user, draw_users(np.unique(lists.user), max_users, seed))
    return lists.take(rows), label[rows]


def write_fold(
    folder: Path,
    fold: str,
    params: FeaturesParams,
    candidates: CandidateListParams,
    shared: SharedParams,
) -> None:
    """Write the file of a fold with at most candidates.label_users lists, a row group per block."""
    history, target = load_fold(fold, candidates, shared.seed)
    lists, label = training_lists(fold, target, candidates.label_users, shared.seed)
    if not len(label):
        report(f"{fold}: no list of a warm user has a relevant item; not used for training")
    n_users = int(lists.user.max(initial=0)) + 1
    n_relevant = np.bincount(target.user, minlength=n_users)[lists.user].astype(np.int32)
    families = families_of(load_context(history, params), params.groups)

    def features_of(block: Candidates) -> FeatureMatrix:
        return feature_matrix(families, rows_of(block, history))

    empty, first = features_of(lists.take(slice(0))), 0
    columns = schema(empty.names, empty.categorical)
    blocks = list(candidate_lists.split(lists, ROWS_AT_ONCE))
    settings = {"compression": "zstd", "compression_level": 1}
    with pq.ParquetWriter(folder / f"{fold}.parquet", columns, **settings) as file:
        matrices = side_by_side(features_of, blocks, shared.n_threads)
        for block, features in zip(tqdm(blocks, fold, disable=None), matrices, strict=True):
            rows = slice(first, first + len(block.user))
            values = [block.user, block.item, label[rows], n_relevant[rows], *features.values.T]
            arrays = [pa.array(np.ascontiguousarray(column)) for column in values]
            file.write_table(pa.Table.from_arrays(arrays, schema=columns))
            first = rows.stop
