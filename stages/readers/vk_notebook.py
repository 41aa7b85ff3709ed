"""Reads the five files of the notebook into the tables of folds/tables.py.

    train.parquet, test.parquet  user_id, item_id, feedback columns; rows in time order, test last
    user_metadata.parquet        user_id, age, gender, geo
    item_metadata.parquet        item_id, author_id, duration
    item_embeddings.parquet      item_id, a column of lists of numbers

The embeddings may stand in item_metadata.parquet instead, then item_embeddings.parquet may be
absent; where both have them, item_embeddings.parquet counts. Other columns are not read.
"""

from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from folds.tables import Tables
from readers.ids import Finder, Ids
from readers.params import ReaderParams, existing
from readers.parquet import batches, describe, require
from readers.positive_rule import Rule
from readers.vk_embeddings import chosen_width, usable_embeddings
from readers.vk_log import STRENGTH_COLUMNS, read_log, strength
from readers.vk_metadata import check_metadata, read_items, read_users

__all__ = ["FOLDER_HINT", "STRENGTH_COLUMNS", "read", "strength"]

INTERACTIONS = ("train.parquet", "test.parquet")
USERS, ITEMS, EMBEDDINGS = (
    "user_metadata.parquet",
    "item_metadata.parquet",
    "item_embeddings.parquet",
)
FOLDER_HINT = "name the folder with the notebook's five files"


def read(data: ReaderParams) -> Tables:
    """The tables of the folder data.path; InputError where a file is missing, broken or unfit."""
    rule = Rule.parse(data.positive)
    names = ", ".join((*INTERACTIONS, USERS, ITEMS, EMBEDDINGS))
    folder = existing(Path(data.path), "data.path", data.path, f"it must hold {names}")
    paths = [folder / name for name in INTERACTIONS]
    for path in paths:
        if not describe(path)[1]:
            raise InputError(f"{path}: no rows; interactions are needed")
    check_metadata(folder / USERS, folder / ITEMS)
    embeddings, column = find_embeddings(folder)
    log = read_log(paths, rule)
    is_test = np.repeat([False, True], log.n_rows)
    interactions = pa.table({**log.columns, "is_test": is_test, **log.channels})
    item_table, item_tags = read_items(folder / ITEMS, log.items)
    return Tables(
        interactions.replace_schema_metadata(log.metadata or None),
        read_users(folder / USERS, log.users),
        item_table,
        item_tags,
        read_embeddings(embeddings, column, log.items, data.embedding_width),
    )


def find_embeddings(folder: Path) -> tuple[Path, str]:
    """The file and its column; InputError where there is none, or no telling which."""
    paths = [path for path in (folder / EMBEDDINGS, folder / ITEMS) if path.exists()]
    for path in paths:
        column = embedding_column(require(path, ["item_id"]), path)
        if column is not None:
            if path.name != EMBEDDINGS and len(paths) < 2:
                report(f"{folder / EMBEDDINGS}: not found; {column} of {path.name} is used")
            return path, column
    if len(paths) < 2:
        raise InputError(f"{folder / EMBEDDINGS}: not found, and {ITEMS} has no column of lists")
    raise InputError(
        f"{paths[0]}: no column of lists of numbers, such as embedding, nor in {ITEMS}"
    )


def embedding_column(schema: pa.Schema, path: Path) -> str | None:
    """`embedding` or `embeddings`, or else the only column of lists of numbers, if any."""
    lists = [field.name for field in schema if _is_list_of_numbers(field.type)]
    for name in ("embedding", "embeddings"):
        if name in lists:
            return name
        if name in schema.names:
            raise InputError(
                f"{path}: {name} is {schema.field(name).type}; must be lists of numbers"
            )
    if len(lists) > 1:
        raise InputError(f"{path}: {', '.join(lists)} are lists; name the one to be used embedding")
    return lists[0] if lists else None


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (is_list or pa.types.is_fixed_size_list(kind)):
        return False
    return pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)


def read_embeddings(path: Path, column: str, ids: Ids, width: int) -> np.ndarray:
    """float32 (n_items, width), the first `width` numbers of each item, all if 0; NaN if unknown.

    InputError, with the row counted from 0, where one list is not as long as the first.
    """
    there = _width(path, column)
    width = chosen_width(width, there, path)
    embeddings = np.full((len(ids), width), np.nan, dtype=np.float32)
    finder = Finder(ids, path, "item_id")
    start = 0
    for batch in batches(path, ["item_id", column]):
        lists = batch[column].combine_chunks()
        _check_width(lists, there, start, f"{path}: {column}")
        start += len(lists)
        place, row = finder.find(batch["item_id"])
        lists = lists.take(pa.array(place))
        row = row[np.asarray(lists.is_valid())]
        numbers = lists.drop_null().flatten().cast(pa.float32(), safe=False)
        embeddings[row] = numbers.to_numpy(zero_copy_only=False).reshape(-1, there)[:, :width]
    finder.close()
    return usable_embeddings(embeddings, path)


def _width(path: Path, column: str) -> int:
    """How many numbers the first list has."""
    for batch in batches(path, [column]):
        lengths = pc.list_value_length(batch[column]).drop_null()
        if len(lengths):
            if not lengths[0].as_py():
                raise InputError(f"{path}: {column} starts with an empty list; must hold numbers")
            return lengths[0].as_py()
    raise InputError(
        f"{path}: {column} is null in every row, if there is any; must be lists of numbers"
    )


def _check_width(lists: pa.Array, width: int, start: int, where: str) -> None:
    """InputError where a list is not `width` long; lists[0] stands in row `start` of the file."""
    lengths = pc.list_value_length(lists).fill_null(width).to_numpy()
    if (lengths != width).any():
        place = int(np.argmax(lengths != width))
        raise InputError(
            f"{where} has {lengths[place]} numbers in row {start + place} (counted from 0);"
            f" must be {width}, as in the rows before"
        )
