"""Reads parquet files, or folders of part files as Spark writes them, into plain columns.

Plain columns have no dictionaries, extension types, decimals, half floats or string views.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from core.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LFS_POINTER = b"version https://git-lfs.github.com/spec/"

Kind = Literal["number", "feedback", "category", "time"]  # allowed types of a column: check_kind


@contextlib.contextmanager
def reading(path: Path, form: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn `errors` and file system errors into an InputError with the name of the file."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: not found") from None
    except (OSError, *errors) as error:
        check_not_pointer(path)
        reason = " ".join(str(error).split()) or type(error).__name__
        if "pickle" in reason:  # numpy advises loading it unsafely
            reason = "it has another format or contains Python objects, which are not read"
        raise InputError(f"{path}: cannot be read as a {form} file: {reason}") from None


def check_not_pointer(path: Path) -> None:
    """Raise InputError if the file, or a part file, is only a Git LFS pointer."""
    for part in filter(Path.is_file, (path, *path.glob("*"))):
        with part.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise InputError(f"{part}: is a Git LFS pointer, not the data: run git lfs pull")


def describe(path: Path, needed: Sequence[str] = ()) -> tuple[pa.Schema, int]:
    """Return the plain schema and the number of rows. Raises InputError if a column is missing."""
    from pyarrow import dataset  # late: it loads pandas, which `download` does not need

    with reading(path, "parquet", pa.ArrowException):
        found = dataset.dataset(path, format="parquet")
        schema, n_rows = found.schema, found.count_rows()
    if not found.files:
        raise InputError(f"{path}: is an empty folder; must be a parquet file or have part files")
    check_present(path, needed, schema.names)
    return pa.schema([(field.name, plain_type(field.type)) for field in schema]), n_rows


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read columns, with plain types, of a file or of the part files in a folder."""
    with reading(path, "parquet", pa.ArrowException):
        table = pq.read_table(path, columns=list(columns), partitioning=None)
        return pa.table({of: table[of].cast(plain_type(table[of].type)) for of in columns})


def check_present(path: Path, columns: Sequence[str], there: Sequence[str]) -> None:
    """Raise InputError if a column is missing from the file."""
    if absent := [name for name in columns if name not in there]:
        names = ", ".join(there) or "none"
        raise InputError(f"{path}: no column {', '.join(absent)}; its columns are {names}")


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is converted to, such as that of a dictionary's values."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_decimal(kind):
        return pa.float64() if kind.scale > 0 else pa.int64()
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.string() if pa.types.is_string_view(kind) else kind


def is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)  # half floats too


def number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as float32, or as float64 if float32 would round any of them."""
    wide = column.cast(pa.float64(), safe=False)
    narrow = wide.cast(pa.float32(), safe=False)
    is_same = np.array_equal(wide.to_numpy(), narrow.to_numpy(), equal_nan=True)
    return narrow if is_same else wide


def is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def check_kind(path: Path, field: pa.Field, wanted: Kind) -> None:
    """Raise InputError if a column with a plain type is not of this kind. Nulls are of any kind."""
    kind = field.type
    is_bool = pa.types.is_boolean(kind)
    fits, allowed = {
        "number": (False, "numbers"),
        "feedback": (is_bool, "true/false or numbers"),
        "category": (is_bool or is_string(kind), "numbers, strings or true/false"),
        "time": (pa.types.is_temporal(kind), "numbers or timestamps"),
    }[wanted]
    if not (fits or is_number(kind) or pa.types.is_null(kind)):
        raise InputError(f"{path}: {field.name} is {kind}; must be {allowed}")
