"""Reads the metadata of users and items of VK-LSVD, in the public layout and in the notebook's.

Levels of categories and authors are from the whole file, so they do not depend on interactions.
`train_interactions_rank` is not read: it counts the whole training period and leaks the future.
"""

import re
from pathlib import Path

from core.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from readers.ids import Ids, places_of
from readers.parquet import Kind, check_finite, check_kind, number, read_table, require

USER_COLUMNS: dict[str, Kind] = {"age": "number", "gender": "category", "geo": "category"}
ITEM_COLUMNS: dict[str, Kind] = {"duration": "number", "author_id": "category"}


Metadata = tuple[pa.Table, pa.Table, sparse.csr_array]  # users.parquet, items.parquet, the tags


def read_metadata(users: Path, items: Path, user_ids: Ids, item_ids: Ids) -> Metadata:
    """Return the metadata of these ids from files that check_metadata accepts."""
    return read_users(users, user_ids), *read_items(items, item_ids)


def check_metadata(users: Path, items: Path) -> None:
    """Raise InputError if a metadata file lacks a column or has one of a wrong type."""
    for path, of, kinds in ((users, "user_id", USER_COLUMNS), (items, "item_id", ITEM_COLUMNS)):
        schema = require(path, [of, *kinds])
        for name, kind in kinds.items():
            check_kind(path, schema.field(name), kind)


def read_users(path: Path, ids: Ids) -> pa.Table:
    """Return the columns of users.parquet: user_id, age, gender, geo."""
    return pa.table({"user_id": ids.values, **_features(path, "user_id", USER_COLUMNS, ids)})


def read_items(path: Path, ids: Ids) -> tuple[pa.Table, sparse.csr_array]:
    """Return items.parquet (item_id, duration) and the authors, CSR (n_items, n_authors)."""
    features = _features(path, "item_id", ITEM_COLUMNS, ids)
    author = features.pop("author_id")
    indptr = np.append(0, np.cumsum(author.is_valid())).astype(np.int32)
    indices = author.indices.drop_null().to_numpy()
    ones = np.ones(len(indices), dtype=np.float32)
    tags = sparse.csr_array((ones, indices, indptr), (len(author), len(author.dictionary)))
    return pa.table({"item_id": ids.values, **features}), tags


def _features(
    path: Path, id_column: str, kinds: dict[str, Kind], ids: Ids
) -> dict[str, pa.ChunkedArray | pa.DictionaryArray]:
    """Return the features of these ids, null for ids without a row."""
    table = read_table(path, [id_column, *kinds])
    places = places_of(ids, table[id_column], path, id_column)
    columns = {}
    for name, kind in kinds.items():
        if kind == "number":
            check_finite(table[name], f"{path}: {name}")
            columns[name] = number(table[name].take(places))
        else:
            columns[name] = category(table[name].take(places), table[name])
    return columns


def category(column: pa.ChunkedArray, distinct: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return a category as dictionary<int32, string> with the levels `distinct`, numbers first."""
    levels = sorted(_texts(distinct.unique()).unique().drop_null().to_pylist(), key=_natural)
    levels = pa.array(levels, pa.string())
    codes = pc.index_in(_texts(column), value_set=levels).combine_chunks()
    return pa.DictionaryArray.from_arrays(codes, levels)


def _texts(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return values as text. 3.0 becomes "3", because pandas makes floats of integers with gaps."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    return values.cast(pa.string())


def _natural(text: str) -> tuple[bool, float, str]:
    """Return a sort key: numbers by value, then other text."""
    is_number = re.fullmatch(r"[-+]?\d+(\.\d+)?", text) is not None
    return not is_number, float(text) if is_number else 0.0, text


def embeddings_of(
    ids: Ids, item_id: pa.ChunkedArray, vectors: np.ndarray, width: int, path: Path
) -> np.ndarray:
    """Return item embeddings, float32 (n_items, width), NaN for items without a finite vector.

    Prints how many items lack one.

    item_id, vectors  the file's ids (n,) and vectors (n, columns)
    width             number of first columns to use; 0 means all
    """
    places = places_of(ids, item_id, path, "item_id")
    width = chosen_width(width, vectors.shape[1], path)
    embeddings = np.full((len(ids), width), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, which is unusable
        embeddings[places.is_valid()] = vectors[places.drop_null(), :width]
    is_unusable = ~np.isfinite(embeddings).all(axis=1)
    embeddings[is_unusable] = np.nan
    if n_unusable := np.count_nonzero(is_unusable):
        report(f"{path}: no usable embedding for {n_unusable:,} of {len(ids):,} items")
    return embeddings


def chosen_width(wanted: int, there: int, path: Path) -> int:
    """Return the number of embedding columns to use. `wanted` is data.embedding_width."""
    if wanted > there:
        raise InputError(f"data.embedding_width is {wanted}: {path} has {there}; 0 takes all")
    return wanted or there
