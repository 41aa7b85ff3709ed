"""Reads parquet files a batch at a time, and says in one line what is wrong with one."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from harness.script import InputError

import pyarrow as pa
import pyarrow.parquet as pq

from readers.ids import plain

BATCH_ROWS = 2**18

Kind = Literal["number", "feedback", "category"]  # what a column must be: see check_kind


@contextlib.contextmanager
def reading(path: Path, form: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns `errors`, and those of the file system, into one line that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: not found") from None
    except (OSError, *errors) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a {form} file: {reason}") from None


def describe(path: Path) -> tuple[pa.Schema, int]:
    """Schema and number of rows of a parquet file, without reading any."""
    with reading(path, "parquet", pa.ArrowException), pq.ParquetFile(path) as file:
        schema, n_rows = file.schema_arrow, file.metadata.num_rows
    check_once(schema.names, path)
    return schema, n_rows


def check_once(names: Sequence[str], path: Path) -> None:
    """InputError where a column of the file occurs more than once: which one is meant?"""
    for name in names:
        if (n := names.count(name)) > 1:
            raise InputError(f"{path}: column {name} occurs {n} times; each must occur once")


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The named columns in batches of rows, at least one, with dictionaries decoded."""
    with reading(path, "parquet", pa.ArrowException), pq.ParquetFile(path) as file:
        if not file.metadata.num_rows:
            yield _decoded(file.schema_arrow.empty_table().select(columns))
            return
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            yield _decoded(pa.Table.from_batches([batch]).select(columns))


def _decoded(table: pa.Table) -> pa.Table:
    return pa.table({name: plain(table[name]) for name in table.column_names})


def require(path: Path, columns: Sequence[str]) -> pa.Schema:
    """The schema of the parquet file; InputError where it lacks one of the columns."""
    schema, _ = describe(path)
    for name in columns:
        if schema.get_field_index(name) < 0:
            there = ", ".join(schema.names) or "none"
            raise InputError(f"{path}: no column {name}; its columns are {there}")
    return schema


def check_kind(path: Path, field: pa.Field, wanted: Kind) -> None:
    """InputError where the column of the file is not of the kind; a column of nulls is of any.

    number    integers or floats
    feedback  these or true/false
    category  these or strings; dictionary-encoded or not, as all kinds
    """
    is_type = pa.types
    kind = field.type.value_type if is_type.is_dictionary(field.type) else field.type
    is_number = is_type.is_integer(kind) or is_type.is_floating(kind)
    is_string = is_type.is_string(kind) or is_type.is_large_string(kind)
    fits, allowed = {
        "number": (is_number, "numbers"),
        "feedback": (is_number or is_type.is_boolean(kind), "true/false or numbers"),
        "category": (
            is_number or is_string or is_type.is_string_view(kind) or is_type.is_boolean(kind),
            "numbers, strings or true/false",
        ),
    }[wanted]
    if not (fits or is_type.is_null(kind)):
        raise InputError(f"{path}: {field.name} is {kind}; must be {allowed}")
