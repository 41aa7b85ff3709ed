"""Reads tables in one or more CSV, TSV or Parquet files, as pandas, DuckDB or Spark write them.

A file that starts with PAR1 is Parquet. Any other file is text, which may be compressed (.gz, .bz2,
.zst). Fields are separated by tabs if the first line has one; else by commas if it has one and the
name ends in .csv; else by the most frequent of | ; and comma in that line. Text that is not UTF-8
is read as Latin-1. In RecBole's files, with a header of `name:type`, quotes are not special.
Columns are called c0, c1, … if only such columns are requested and the first line does not contain
these names.
"""

import contextlib
import csv
import fnmatch
import io
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from core.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

from readers.parquet import (
    check_not_pointer,
    check_present,
    describe,
    is_string,
    read_table,
    reading,
)

NUMBER = (pa.int64(), pa.float64(), pa.bool_())
ISO = tuple(pa.timestamp(unit, zone) for unit in ("ns", "us") for zone in (None, "UTC"))
INSTANT = (pa.int64(), pa.float64(), *ISO)
NOT_GIVEN = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None", r"\N")  # spellings of null
RECBOLE = r":(token|float)(_seq)?\s*$"  # end of a column name in RecBole's files


@dataclass(frozen=True)
class Rows:
    """The rows of one or more files, one file after the other."""

    where: Path  # file, folder or pattern, for messages
    files: list[tuple[Path, int]]  # each file and its number of rows
    table: pa.Table  # the requested columns, with plain types
    names: list[str]  # all columns of the first file
    is_text: bool  # whether all values are text, whose types are not known yet

    def refuse(self, name: str, is_bad: pa.ChunkedArray | np.ndarray, wanted: str) -> None:
        """Raise InputError with file, number and value of the first bad row, if there is one."""
        bad = np.flatnonzero(is_bad)
        if not len(bad):
            return
        starts = np.cumsum([0, *(n_rows for _, n_rows in self.files)])
        file = np.searchsorted(starts, bad[0], side="right") - 1
        place = f"{self.files[file][0]}: row {bad[0] - starts[file] + 1}"
        more = f", and {len(bad) - 1:,} more rows" if len(bad) > 1 else ""
        value = self.table[name][int(bad[0])].as_py()
        raise InputError(f"{place}{more}: {name} is {value!r}; must be {wanted}")

    def typed(self, name: str) -> pa.ChunkedArray:
        """Return a column. Text is converted to the first type that fits all rows, if one does."""
        found = converted(self.table[name], (*NUMBER, *ISO)) if self.is_text else None
        return self.table[name] if found is None else found

    def read_as(self, name: str, kinds: Sequence[pa.DataType], wanted: str) -> pa.ChunkedArray:
        """Return a column, with text as the first of `kinds` that fits; InputError if none does."""
        texts = self.table[name]
        if not is_string(texts.type):
            return texts
        if (found := converted(texts, kinds)) is None:
            rows = np.arange(len(texts))
            bad = bisect_left(rows, True, key=lambda n: converted(texts[: n + 1], kinds) is None)
            self.refuse(name, rows == bad, wanted)  # the first that does not fit with those before
        return found

    def check_finite(self, name: str, column: pa.ChunkedArray) -> None:
        """Raise InputError if a float is beyond float32."""
        if pa.types.is_floating(column.type):
            largest = float(np.finfo(np.float32).max)
            is_beyond = pc.greater(pc.abs(column.cast(pa.float64())), largest)
            self.refuse(name, is_beyond.fill_null(False), "a finite number, or empty")

    def matching(self, pattern: str) -> list[str]:
        """Return the column of this name, or else the columns that match, in natural order."""
        found = [pattern] if pattern in self.names else fnmatch.filter(self.names, pattern)
        check_present(self.where, [] if found else [pattern], self.names)
        return sorted(found, key=natural)


def is_number_of_column(name: str) -> bool:
    """Return whether this is a column name of a file without a header, such as c0."""
    return re.fullmatch(r"c[0-9]+", name) is not None


def converted(texts: pa.ChunkedArray, kinds: Sequence[pa.DataType]) -> pa.ChunkedArray | None:
    """Convert text to the first type that fits all values, else None. NOT_GIVEN becomes null."""
    given = pc.if_else(pc.is_in(texts, value_set=pa.array(NOT_GIVEN)), None, texts)
    given = pc.replace_substring_regex(given, r"\s*(UTC|GMT)$", "Z")  # as BigQuery writes times
    for kind in kinds:
        with contextlib.suppress(pa.ArrowInvalid):
            return given.cast(kind)
    return None


def natural(name: str) -> list[str | int]:
    """Return a sort key for natural order: part-2 before part-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def find_files(folder: Path, pattern: str, key: str) -> list[Path]:
    """Return the non-empty files of a file, folder or pattern, sorted; InputError if none."""
    named, files = folder / pattern, set()
    if named.is_file():
        return [named]
    for match in [named] if named.exists() else folder.glob(pattern):
        for file in [match] if match.is_file() else match.rglob("*"):
            is_hidden = any(part[0] in "._" for part in file.relative_to(match).parts)  # _SUCCESS
            if not is_hidden and file.is_file() and file.stat().st_size:
                files.add(file)
    if not files:
        there = sorted(one.name for one in folder.glob("[!._]*") if one != named)
        shown = ", ".join(there[:10]) + (", …" if len(there) > 10 else "")
        raise InputError(f"{named}: not found ({key}); the files there are {shown or 'none'}")
    return sorted(files, key=lambda file: natural(str(file)))


def read_rows(
    folder: Path,
    pattern: str,
    names: Sequence[str],
    more: Sequence[str] | None = (),
    key: str = "data.path",
) -> Rows:
    """Read the rows of the files that match a pattern below the folder.

    names  columns that must exist
    more   columns that are read if they exist; None means all
    key    key of params.yaml, for messages
    """
    files = find_files(folder, pattern, key)
    asked = None if more is None else {*names, *more}
    tables, of_first, is_text = [], [], True
    for path in files:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        if path.suffix == ".parquet" and not is_parquet:
            check_not_pointer(path)
            raise InputError(f"{path}: is not a Parquet file, which starts with PAR1")
        if is_parquet:
            there = describe(path)[0].names
            table = read_table(path, [name for name in there if asked is None or name in asked])
        else:
            table, there = _read_text(path, asked, names)
        for name, value in _partitions(path.relative_to(folder)).items():
            if name not in there:
                there = [*there, name]
                table = table.append_column(name, pa.array([value] * len(table), pa.string()))
        check_present(path, names, there)
        tables.append(table)
        of_first, is_text = of_first or there, is_text and not is_parquet
    where = folder / pattern
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        differ = f"its {len(files)} files have different columns or types"
        raise InputError(f"{where}: {differ}: {reason}") from None
    if not table.num_rows:
        raise InputError(f"{where}: no rows")
    sizes = [(path, one.num_rows) for path, one in zip(files, tables, strict=True)]
    return Rows(where, sizes, table, of_first, is_text)


def _partitions(path: Path) -> dict[str, str | None]:
    """Return columns from folder names such as `day=2024-01-31`."""
    pairs = [part.split("=", 1) for part in path.parts[:-1] if "=" in part]
    none = "__HIVE_DEFAULT_PARTITION__"
    return {name: None if value == none else unquote(value) for name, value in pairs}


def _read_text(
    path: Path, asked: set[str] | None, names: Sequence[str]
) -> tuple[pa.Table, list[str]]:
    """Return the columns as text, null for empty fields, and the names of all columns."""
    check_not_pointer(path)
    with reading(path, "CSV", pa.ArrowException):
        try:
            return _read_encoded(path, asked, names, "utf-8")
        except ValueError as error:  # from the decoder of Python or pyarrow
            if "utf" not in str(error).lower():
                raise
        found = _read_encoded(path, asked, names, "latin-1")
        report(f"{path}: not UTF-8; read as Latin-1")
        return found


def _read_encoded(
    path: Path, asked: set[str] | None, names: Sequence[str], encoding: str
) -> tuple[pa.Table, list[str]]:
    with pa.input_stream(str(path)) as file:
        line = io.TextIOWrapper(file, encoding).readline().removeprefix("\ufeff").rstrip("\r\n")
    if not line.replace("\t", "").isprintable():
        raise InputError(
            f"{path}: is not text; must be Parquet, or text, also as .gz, .bz2 or .zst"
        )
    delimiter = "," if ".csv" in path.name and "," in line else max("|;,", key=line.count)
    delimiter = "\t" if "\t" in line else delimiter
    there = next(csv.reader([line], delimiter=delimiter), [])
    is_recbole = any(re.search(RECBOLE, name) for name in there)
    there = [re.sub(RECBOLE, "", name) for name in there]
    has_header = not names or not all(map(is_number_of_column, names)) or {*names} <= {*there}
    if twice := [name for name in there if has_header and there.count(name) > 1]:
        raise InputError(f"{path}: two columns are called {twice[0]!r}; rename one")
    there = there if has_header else [f"c{place}" for place in range(len(there))]
    wanted = [name for name in there if asked is None or name in asked]
    # one thread, because only then messages contain the number of the row
    options = ReadOptions(use_threads=False, encoding=encoding, column_names=there)
    options.skip_rows = int(has_header)
    converting = ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()),
        include_columns=wanted,
        null_values=[""],
        strings_can_be_null=True,
    )
    quote = False if is_recbole else '"'
    parsing = ParseOptions(delimiter=delimiter, quote_char=quote, newlines_in_values=not is_recbole)
    return read_csv(path, options, parsing, converting), there
