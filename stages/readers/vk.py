"""Reads interactions and metadata of VK-LSVD, in the public layout and in the notebook's.

A channel (tables.CHANNELS) is used only if every file has it, because otherwise it cannot be
compared over time. Missing feedback counts as no feedback. Levels of categories and authors are
from the whole file, so they do not depend on interactions. `train_interactions_rank` is not read:
it counts the whole training period and leaks the future.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from core import tables
from core.script import InputError, report
from core.tables import TIMESPENT, UNKNOWN, Tables

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from readers.ids import all_ids, places_of, rows_of
from readers.parquet import Kind, check_kind, describe, number, read_table
from readers.positive_rule import Rule, report_unknown, values, with_numbers
from readers.table_files import read_rows
from readers.time_order import TIMESTAMP, in_time_order

ID_COLUMNS = ("user_id", "item_id")
STRENGTH_COLUMNS = ("like", "share", "bookmark")  # each adds 1 to the strength of a positive
USER_COLUMNS: dict[str, Kind] = {"age": "number", "gender": "category", "geo": "category"}
ITEM_COLUMNS: dict[str, Kind] = {"duration": "number", "author_id": "category"}
NUMBERS = pa.schema([(name, pa.float32()) for name in ("age", "duration")])  # of the metadata
KINDS: dict[str, Kind] = {
    **dict.fromkeys(tables.FEEDBACK, "feedback"),
    TIMESPENT: "number",
    **dict.fromkeys(tables.SETTINGS, "category"),
    TIMESTAMP: "time",
}
Metadata = tuple[pa.Table, pa.Table, sparse.csr_array, np.ndarray]  # the last fields of Tables


def read_log(
    paths: Sequence[Path],
    rule: Rule,
    metadata_of: Callable[[pa.Array, pa.Array], Metadata],
    name: str,
    of_files: np.ndarray,
) -> Tables:
    """Read the interactions of all files, oldest first, and the metadata of users and items.

    Sorts the rows of each file by `timestamp` if every file has it. Prints how many rows lack a
    value that the rule reads. Raises InputError if there are no rows.

    metadata_of     returns the metadata of the users and items that occur
    name, of_files  an additional column, and its value for each file
    """
    n_rows = {path: describe(path)[1] for path in paths}
    files = [path for path in paths if n_rows[path]]
    if not files:
        raise InputError(f"{paths[0]} to {paths[-1].name}: no rows; interactions are needed")
    common = common_columns(files, rule, [*tables.CHANNELS, TIMESTAMP])
    by_time = TIMESTAMP in common
    names, levels = [of for of in common if of != TIMESTAMP], {}
    users, items = (
        all_ids({f"{path}: {of}": read_table(path, [of])[of] for path in files})
        for of in ID_COLUMNS
    )
    metadata = of_users, of_items, *_ = metadata_of(users, items)
    parts, of_channels, n_unknown = [], [], Counter()
    for path in files:
        wanted = dict.fromkeys([*ID_COLUMNS, *rule.columns, *common])
        table = read_table(path, [of for of in wanted if of in describe(path)[0].names])
        table = in_time_order(table, path) if by_time else table
        user = rows_of(users, table["user_id"], f"{path}: user_id")
        item = rows_of(items, table["item_id"], f"{path}: item_id")
        is_positive, unknown = rule.judge(table, (of_users, user), (of_items, item))
        n_unknown.update(unknown)
        columns = {"user": user, "item": item, "is_positive": is_positive}
        columns["strength"] = strength(is_positive, table)
        columns |= {TIMESTAMP: table[TIMESTAMP].to_numpy()} if by_time else {}
        parts.append(columns)
        of_channels.append(channels_of(table, names, levels))
    report_unknown(n_unknown)
    columns = {of: np.concatenate([part[of] for part in parts]) for of in parts[0]}
    columns[name] = np.repeat(of_files, list(n_rows.values()))
    columns |= {of: pa.chunked_array([part[of] for part in of_channels]) for of in names}
    about = {tables.LEVELS: json.dumps(levels)} if levels else None
    return Tables(pa.table(columns, metadata=about), *metadata)


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """Return strength, uint8 (n_rows,): 1 + number of true STRENGTH_COLUMNS; 0 if not positive."""
    result = is_positive.astype(np.uint8)
    for name in STRENGTH_COLUMNS:
        if name in feedback.column_names:
            value, is_missing = values(feedback[name])
            result += is_positive & (value != 0) & ~is_missing
    return result


def common_columns(paths: Sequence[Path], rule: Rule, wanted: Sequence[str]) -> list[str]:
    """Return the wanted columns that all files have. Prints those that only some files have."""
    schemas = {path: describe(path, ID_COLUMNS)[0] for path in paths}
    there = Counter(name for schema in schemas.values() for name in schema.names)
    for path, schema in schemas.items():
        feedback = pa.schema([field for field in schema if field.name not in ID_COLUMNS])
        rule.check(with_numbers(feedback, NUMBERS), path)
        if absent := [name for name in wanted if there[name] and name not in schema.names]:
            report(
                f"{path}: no column {', '.join(absent)}, which other files have; it is not used as"
                " a channel, as strength or as time in any file"
            )
        for name in {*wanted} & {*schema.names}:
            check_kind(path, schema.field(name), KINDS[name])
    return [name for name in wanted if there[name] == len(paths)]


def channels_of(
    table: pa.Table, names: Sequence[str], levels: dict[str, list], is_closed: bool = False
) -> dict[str, np.ndarray]:
    """Return channels: bool for true/false, uint8 for other types. Prints how many are cut off.

    levels  values of each setting in the files before; new ones are added unless is_closed
    """
    columns = {}
    for name in names:
        if name in tables.SETTINGS:
            columns[name] = _coded(table[name], levels.setdefault(name, []), is_closed)
            continue
        given, is_missing = values(table[name])
        given = np.where(is_missing, 0, given)
        if name == TIMESPENT:
            if n := np.count_nonzero(given > tables.MOST_SECONDS):
                most = f"{tables.MOST_SECONDS} s"
                report(f"{name} is above {most} in {n:,} rows, which count as {most}")
            given = np.clip(given, 0, tables.MOST_SECONDS).astype(np.uint8)
        columns[name] = given if name == TIMESPENT else given != 0
    return columns


def _coded(column: pa.ChunkedArray, levels: list[object], is_closed: bool) -> np.ndarray:
    """Return codes, uint8 (n_rows,): UNKNOWN for null, NaN and values after the first 255."""
    encoded = column.combine_chunks().dictionary_encode()
    found = [None if value != value else value for value in encoded.dictionary.to_pylist()]
    if not is_closed:
        new = [value for value in found if value is not None and value not in levels]
        levels += new[: UNKNOWN - len(levels)]
    code_of = {value: code for code, value in enumerate(levels)}
    codes = np.array([*(code_of.get(value, UNKNOWN) for value in found), UNKNOWN], np.uint8)
    return codes[encoded.indices.fill_null(len(found)).to_numpy()]


def users_and_items(
    users: Path, items: Path, user_ids: pa.Array, item_ids: pa.Array
) -> tuple[pa.Table, pa.Table, sparse.csr_array]:
    """Return user_id, age, gender, geo; item_id, duration; and authors, CSR (n_items, n)."""
    of_users = _features(users, "user_id", USER_COLUMNS, user_ids)
    of_items = _features(items, "item_id", ITEM_COLUMNS, item_ids)
    author = of_items.column("author_id").combine_chunks()
    item = np.flatnonzero(author.is_valid())
    entries = np.ones(len(item), np.float32), (item, author.indices.drop_null())
    tags = sparse.csr_array(entries, (len(author), len(author.dictionary)))
    return of_users, of_items.drop_columns("author_id"), tags


def _features(path: Path, id_column: str, kinds: dict[str, Kind], ids: pa.Array) -> pa.Table:
    """Return ids and their features, null for ids without a row."""
    rows = read_rows(path.parent, path.name, [id_column, *kinds])
    table = rows.table
    places = places_of(ids, table[id_column], path, id_column)
    columns = {id_column: ids}
    for name, kind in kinds.items():
        check_kind(path, table.field(name), kind)
        if kind == "number":
            rows.check_finite(name, table[name])
            columns[name] = number(table[name].take(places))
        else:
            columns[name] = category(table[name].take(places), table[name])
    return pa.table(columns)


def category(column: pa.ChunkedArray, distinct: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return a category as dictionary<int32, string>, with the sorted levels of `distinct`."""
    levels = sorted(_texts(distinct.unique()).unique().drop_null().to_pylist(), key=_numbers_first)
    levels = pa.array(levels, pa.string())
    codes = pc.index_in(_texts(column), value_set=levels).combine_chunks()
    return pa.DictionaryArray.from_arrays(codes, levels)


def _texts(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return values as text. 3.0 becomes "3", because pandas makes floats of integers with gaps."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    return values.cast(pa.string())


def _numbers_first(text: str) -> tuple[bool, float, str]:
    """Return a sort key: numbers by value, then other text."""
    is_number = re.fullmatch(r"[-+]?\d+(\.\d+)?", text) is not None
    return not is_number, float(text) if is_number else 0.0, text


def embeddings_of(places: pa.Array, vectors: np.ndarray, width: int, path: Path) -> np.ndarray:
    """Return item embeddings, float32 (n_items, width), NaN for items without a finite vector.

    places   int32 (n_items,): the row of each item in `vectors`, (n_rows, columns), or null
    width    data.embedding_width: number of first columns to use; 0 means all
    """
    if width > vectors.shape[1]:
        there = f"{path} has {vectors.shape[1]}; 0 takes all"
        raise InputError(f"data.embedding_width is {width}: {there}")
    width = width or vectors.shape[1]
    embeddings = np.full((len(places), width), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, which is unusable
        embeddings[places.is_valid()] = vectors[places.drop_null(), :width]
    is_unusable = ~np.isfinite(embeddings).all(axis=1)
    embeddings[is_unusable] = np.nan
    if n_unusable := np.count_nonzero(is_unusable):
        report(f"{path}: no usable embedding for {n_unusable:,} of {len(places):,} items")
    return embeddings
