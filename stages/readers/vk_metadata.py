"""Reads the metadata of users and items of VK-LSVD, in the public layout and in the notebook's.

A batch of rows at a time, and only the rows of users and items in the log are kept. Levels of
categories and authors come from the whole file, whoever is in the log, so that they depend on no
interaction. `train_interactions_rank`, counted over the whole training period, is never read: it
would leak the future.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from readers.ids import Finder, Ids
from readers.numbers import check_finite
from readers.parquet import Kind, batches, check_kind, require

USER_COLUMNS: dict[str, Kind] = {"age": "number", "gender": "category", "geo": "category"}
ITEM_COLUMNS: dict[str, Kind] = {"duration": "number", "author_id": "category"}


def check_metadata(users: Path, items: Path) -> None:
    """InputError where a file of metadata lacks a declared column or has another kind of it."""
    for path, id_column, kinds in (
        (users, "user_id", USER_COLUMNS),
        (items, "item_id", ITEM_COLUMNS),
    ):
        schema = require(path, [id_column, *kinds])
        for name, kind in kinds.items():
            check_kind(path, schema.field(name), kind)


@dataclass(frozen=True)
class Metadata:
    """A file of metadata in the order of some ids.

    columns  (n_ids,) each, null where an id has no row; distinct  all values of the whole file
    """

    columns: pa.Table
    distinct: dict[str, pa.ChunkedArray]


def _read_metadata(path: Path, id_column: str, kinds: dict[str, Kind], ids: Ids) -> Metadata:
    """The columns that `kinds` names, and the distinct values of those that are categories."""
    finder = Finder(ids, path, id_column)
    rows, parts = [], []
    distinct = {name: [] for name, kind in kinds.items() if kind == "category"}
    for batch in batches(path, [id_column, *kinds]):
        for name in kinds:
            check_finite(batch[name], f"{path}: {name}")
        place, row = finder.find(batch[id_column])
        rows.append(row)
        parts.append(batch.select(list(kinds)).take(pa.array(place)))
        for name, found in distinct.items():
            found.append(batch[name].unique())
    finder.close()
    rows = np.concatenate(rows)
    index = np.full(len(ids), -1)
    index[rows] = np.arange(len(rows))
    return Metadata(
        pa.concat_tables(parts).take(pa.array(index, mask=index < 0)).combine_chunks(),
        {name: pa.chunked_array(found) for name, found in distinct.items()},
    )


def read_users(path: Path, ids: Ids) -> pa.Table:
    """data/users.parquet: user_id, age, gender, geo; of a file that check_metadata has passed."""
    metadata = _read_metadata(path, "user_id", USER_COLUMNS, ids)
    return pa.table({"user_id": ids.values, **_features(metadata, USER_COLUMNS)})


def read_items(path: Path, ids: Ids) -> tuple[pa.Table, sparse.csr_array]:
    """data/items.parquet: item_id, duration, and data/item_tags.npz: the author of each item.

    Of a file that check_metadata has passed.
    """
    metadata = _read_metadata(path, "item_id", ITEM_COLUMNS, ids)
    items = {"item_id": ids.values, **_features(metadata, {"duration": "number"})}
    author, authors = metadata.columns["author_id"], metadata.distinct["author_id"]
    return pa.table(items), author_tags(author, authors)


def _features(metadata: Metadata, kinds: dict[str, Kind]) -> dict[str, pa.Array]:
    """float32 for a number, dictionary<int32, string> for a category."""
    columns = {}
    for name, kind in kinds.items():
        column = metadata.columns[name]
        if kind == "number":
            columns[name] = column.cast(pa.float32(), safe=False)  # rounding is no error
        else:
            columns[name] = category(column, metadata.distinct[name])
    return columns


def category(column: pa.ChunkedArray, distinct: pa.ChunkedArray) -> pa.DictionaryArray:
    """dictionary<int32, string>: the levels are `distinct` as text, numbers in their order first.

    Null and NaN are null. 3 and 3.0 are both the level "3", as a column of integers with gaps
    becomes one of floats in pandas.
    """
    known = distinct.unique().drop_null()
    texts = [_text(value) for value in known.to_pylist()]
    levels = sorted({text for text in texts if text is not None}, key=_natural)
    codes = {text: code for code, text in enumerate(levels)}
    code_of_known = pa.array([codes.get(text) for text in texts], pa.int32())
    index = pc.index_in(column.combine_chunks(), known)
    return pa.DictionaryArray.from_arrays(code_of_known.take(index), pa.array(levels, pa.string()))


def _text(value: str | bool | int | float) -> str | None:
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _natural(text: str) -> tuple[bool, float, str]:
    """Sorts numbers by value, then other texts."""
    is_number = re.fullmatch(r"[-+]?\d+(\.\d+)?", text) is not None
    return not is_number, float(text) if is_number else 0.0, text


def author_tags(author: pa.ChunkedArray, authors: pa.ChunkedArray) -> sparse.csr_array:
    """CSR float32 (n_items, n_authors), 1 at the item's author; an empty row for null and NaN.

    author  (n_items,); authors  the values there are in the whole file, in any order, repeated too
    """
    known = authors.unique().drop_null()
    if pa.types.is_floating(known.type):
        known = known.filter(pc.is_finite(known))
    known = known.take(pc.sort_indices(known))
    column = pc.index_in(author.combine_chunks(), known)
    indptr = np.append(0, np.cumsum(column.is_valid())).astype(np.int32)
    indices = column.drop_null().to_numpy()
    ones = np.ones(len(indices), dtype=np.float32)
    return sparse.csr_array((ones, indices, indptr), shape=(len(author), len(known)))
