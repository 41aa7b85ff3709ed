"""What the two layouts of VK-LSVD share: parquet files, the log of interactions, users and items.

The log is read in two passes, a batch of rows at a time: the distinct ids, then the columns, with
ids mapped to row numbers. Of the metadata only the rows of users and items in the log are kept.
Levels of categories and authors come from the whole file of metadata, whoever is in the log, so
that they depend on no interaction. `train_interactions_rank`, counted over the whole training
period, is never read: it would leak the future.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy import sparse
from tqdm import tqdm

from readers.ids import Collector, Ids, plain
from readers.positive_rule import Rule, values

ID_COLUMNS = ("user_id", "item_id")
STRONG = ("like", "share", "bookmark")  # each adds 1 to the strength of a positive, 4 at most
USER_COLUMNS = {"age": "number", "gender": "category", "geo": "category"}
ITEM_COLUMNS = {"duration": "number", "author_id": "category"}
BATCH_ROWS = 2**18


@dataclass(frozen=True)
class Log:
    """The interactions of several files, in the order of the files and their rows.

    columns  as in data/interactions.parquet: user, item int32, is_positive bool, strength uint8
    users, items  the ids that occur; n_rows  of each file
    """

    columns: dict[str, np.ndarray]
    users: Ids
    items: Ids
    n_rows: list[int]


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
        return file.schema_arrow, file.metadata.num_rows


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


def existing(folder: Path, key: str, value: str, hint: str) -> Path:
    """The folder; InputError, naming the parameter that names it, where there is none."""
    if not folder.is_dir():
        raise InputError(f"{key} is {value!r}: {folder} is not a folder; {hint}")
    return folder


def read_log(paths: Sequence[Path], rule: Rule) -> Log:
    """The interactions in the files, oldest first; InputError where no row or none is positive."""
    n_rows = [describe(path)[1] for path in paths]
    total = sum(n_rows)
    if not total:
        raise InputError(f"{paths[0]} to {paths[-1].name}: no rows; interactions are needed")
    files = [path for path, n in zip(paths, n_rows, strict=True) if n]
    feedback = _feedback(files, rule)
    users, items = _distinct_ids(files, total)
    columns = {"user": np.empty(total, np.int32), "item": np.empty(total, np.int32)}
    columns |= {"is_positive": np.empty(total, bool), "strength": np.empty(total, np.uint8)}
    n_missing = dict.fromkeys(rule.columns, 0)
    for rows, path, batch in _all_batches(files, feedback, total, "interactions"):
        columns["user"][rows] = users.rows(batch["user_id"], f"{path}: user_id")
        columns["item"][rows] = items.rows(batch["item_id"], f"{path}: item_id")
        columns["is_positive"][rows] = rule.evaluate(batch)
        columns["strength"][rows] = strength(columns["is_positive"][rows], batch)
        for name in n_missing:
            n_missing[name] += np.count_nonzero(values(batch[name])[1])
    for name, n in n_missing.items():
        if n:
            report(f"data.positive: {name} is null or NaN in {n:,} rows, that is, not given there")
    if not columns["is_positive"].any():
        raise InputError(
            f"data.positive is {rule.text!r}: none of {total:,} interactions is positive"
        )
    return Log(columns, users, items, n_rows)


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, else 1 and 1 more for each of STRONG that is given.

    STRONG columns that the table lacks are taken as not given, and so are missing values.
    """
    result = is_positive.astype(np.uint8)
    for name in STRONG:
        if name in feedback.column_names:
            value, is_missing = values(feedback[name])
            result += is_positive & (value != 0) & ~is_missing
    return result


def _feedback(paths: Sequence[Path], rule: Rule) -> list[str]:
    """The feedback columns to read: those of the rule, and those of STRONG that all files have."""
    strong = list(STRONG)
    for path in paths:
        schema = require(path, ID_COLUMNS)
        feedback = pa.schema([field for field in schema if field.name not in ID_COLUMNS])
        try:
            rule.check(feedback)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        strong = [name for name in strong if name in feedback.names]
        for name in strong:
            _check_kind(path, feedback.field(name), "feedback")
    return list(dict.fromkeys([*rule.columns, *strong]))


def _distinct_ids(paths: Sequence[Path], total: int) -> tuple[Ids, Ids]:
    """The users and the items of the interactions."""
    users, items = (Collector(name) for name in ID_COLUMNS)
    for _, path, batch in _all_batches(paths, [], total, "ids"):
        users.add(batch["user_id"], path)
        items.add(batch["item_id"], path)
    return users.ids(), items.ids()


def _all_batches(
    paths: Sequence[Path], feedback: Sequence[str], total: int, what: str
) -> Iterator[tuple[slice, Path, pa.Table]]:
    """(rows, path, batch): ids and feedback of all files, and the rows of the log they make up."""
    start = 0
    with tqdm(total=total, desc=what, unit=" rows", unit_scale=True, disable=None) as progress:
        for path in paths:
            for batch in batches(path, [*ID_COLUMNS, *feedback]):
                yield slice(start, start + batch.num_rows), path, batch
                start += batch.num_rows
                progress.update(batch.num_rows)


def check_metadata(users: Path, items: Path) -> None:
    """InputError where a file of metadata lacks a declared column or has another kind of it."""
    for path, id_column, kinds in (
        (users, "user_id", USER_COLUMNS),
        (items, "item_id", ITEM_COLUMNS),
    ):
        schema = require(path, [id_column, *kinds])
        for name, kind in kinds.items():
            _check_kind(path, schema.field(name), kind)


def _check_kind(path: Path, field: pa.Field, wanted: str) -> None:
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


class Finder:
    """Finds users or items of the log in a file of metadata, a batch at a time.

    The first row of an id counts. What is left out or not found is counted, for `close` to report.
    """

    def __init__(self, ids: Ids, path: Path, name: str) -> None:
        """ids  to find; path, name  the file and its column of ids"""
        self.ids, self.path, self.name = ids, path, name
        self.is_found = np.zeros(len(ids), dtype=bool)
        self.n_rows = self.n_null = self.n_unseen = self.n_repeated = 0

    def find(self, column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """(place, row), int64 and int32 (n_new,): where in the batch new ids are; their rows."""
        self.n_rows += len(column)
        self.n_null += column.null_count
        if not len(column):  # of any type: a file without rows
            return np.empty(0, np.int64), np.empty(0, np.int32)
        row = self.ids.rows(column, f"{self.path}: {self.name}")
        place = np.flatnonzero(row >= 0)
        self.n_unseen += len(row) - len(place)
        n_known = len(place)
        place = place[~self.is_found[row[place]]]
        place = place[np.unique(row[place], return_index=True)[1]]
        self.n_repeated += n_known - len(place)
        self.is_found[row[place]] = True
        return place, row[place]

    def close(self) -> None:
        """Reports the counts; InputError where rows have no id."""
        where, what = f"{self.path}: {self.name}", self.name.removesuffix("_id")
        if self.n_null:
            raise InputError(
                f"{where} is null in {self.n_null:,} of {self.n_rows:,} rows; must be an id"
            )
        n_missing = np.count_nonzero(~self.is_found)
        if n_missing:
            report(f"{self.path}: no row for {n_missing:,} of {len(self.ids):,} {what}s")
        if self.n_unseen:
            report(f"{self.path}: {self.n_unseen:,} rows of {what}s without interactions, left out")
        if self.n_repeated:
            report(f"{self.path}: {self.n_repeated:,} more rows of the same {what}, left out")


@dataclass(frozen=True)
class Metadata:
    """A file of metadata in the order of some ids.

    columns  (n_ids,) each, null where an id has no row; distinct  all values of the whole file
    """

    columns: pa.Table
    distinct: dict[str, pa.ChunkedArray]


def _read_metadata(path: Path, id_column: str, kinds: dict[str, str], ids: Ids) -> Metadata:
    """The columns that `kinds` names, and the distinct values of those that are categories."""
    finder = Finder(ids, path, id_column)
    rows, parts = [], []
    distinct = {name: [] for name, kind in kinds.items() if kind == "category"}
    for batch in batches(path, [id_column, *kinds]):
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


def _features(metadata: Metadata, kinds: dict[str, str]) -> dict[str, pa.Array]:
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


def chosen_width(wanted: int, there: int, path: Path) -> int:
    """How many columns of embeddings `there` wide to use; `wanted` is data.embedding_width."""
    if wanted > there:
        raise InputError(f"data.embedding_width is {wanted}: {path} has {there}; 0 takes all")
    return wanted or there


def without_holes(embeddings: np.ndarray, path: Path) -> np.ndarray:
    """The embeddings, float32 (n_items, width), a row all NaN if any of it is not finite."""
    is_unusable = ~np.isfinite(embeddings).all(axis=1)
    embeddings[is_unusable] = np.nan
    if is_unusable.any():
        n = np.count_nonzero(is_unusable)
        report(f"{path}: no usable embedding of {n:,} of {len(embeddings):,} items")
    return embeddings
