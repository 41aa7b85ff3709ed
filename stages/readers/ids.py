"""Maps the source's ids to row numbers, without a Python object for each id.

Ids are integers in all files, or strings in all files. An argument `ids` has distinct ids in the
source's type, without nulls, ascending (strings by UTF-8 bytes).
"""

from pathlib import Path

from core.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from readers.parquet import is_string


def rows_of(ids: pa.Array, column: pa.ChunkedArray, where: str) -> np.ndarray:
    """Return the position of each id in `ids`, int32 (n_rows,), -1 for null or unknown ids.

    Raises InputError that starts with `where` (file and column) if the ids have another type.
    """
    known, asked = _alike({"the interactions": ids, where: column})
    return pc.index_in(asked, value_set=known).fill_null(-1).to_numpy()


def all_ids(found: dict[str, pa.ChunkedArray]) -> pa.Array:
    """Return the distinct ids of all columns, ascending. `found` has columns by file and name.

    Raises InputError if an id is null or the columns have different types.
    """
    for where, column in found.items():
        check_no_null(column, where)
    return distinct(pa.chunked_array([column.unique() for column in _alike(found)]))


def distinct(column: pa.ChunkedArray) -> pa.Array:
    """Return the distinct values, ascending."""
    values = column.unique()
    return values.take(pc.sort_indices(values))


def check_no_null(column: pa.ChunkedArray, where: str) -> None:
    """Raise InputError if an id is null."""
    if n := column.null_count:
        raise InputError(f"{where} is null in {n:,} of {len(column):,} rows; must be an id")


def places_of(ids: pa.Array, column: pa.ChunkedArray, path: Path, name: str) -> pa.Array:
    """Return the first row of each id in a metadata file, int32 (n_ids,), null for missing ids.

    Prints how many ids are missing and how many rows repeat an id.
    """
    where, what = f"{path}: {name}", name.removesuffix("_id")
    check_no_null(column, where)
    wanted, known = _alike({"the interactions": ids, where: column})
    places = pc.index_in(wanted, value_set=known)
    if n := places.null_count:
        report(f"{path}: no row for {n:,} of {len(ids):,} {what}s")
    if n := len(column) - len(known.unique()):
        report(f"{path}: {n:,} rows repeat an earlier {what}; only the first row counts")
    return places


def _alike(columns: dict[str, pa.Array | pa.ChunkedArray]) -> list[pa.Array | pa.ChunkedArray]:
    """Convert ids of several files to one type. Raises InputError if they have no common type."""
    (first, kind), *_ = ((where, column.type) for where, column in columns.items())
    for where, column in columns.items():
        if not (pa.types.is_integer(column.type) or is_string(column.type)):
            raise InputError(f"{where} is {column.type}; ids must be integers or strings")
        if is_string(column.type) != is_string(kind):
            raise InputError(
                f"{where} is {column.type}, in {first} it is {kind}; must be integers in both or"
                " strings in both"
            )
        if column.type != kind:
            kind = pa.large_string() if is_string(kind) else pa.int64()
    try:
        return [column.cast(kind) for column in columns.values()]
    except pa.ArrowInvalid:  # numbers beyond int64
        raise InputError(f"{first}: ids beyond {kind}; use one type in all files") from None
