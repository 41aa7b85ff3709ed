"""Reads the five files of the notebook into the tables of core/tables.py.

    train.parquet, test.parquet  user_id, item_id, feedback columns; rows in time order, test last
    user_metadata.parquet        user_id, age, gender, geo
    item_metadata.parquet        item_id, author_id, duration
    item_embeddings.parquet      item_id, and a column of lists of numbers or columns such as emb_0,
                                 emb_1

If train and test have a column `timestamp`, the rows of each file are sorted by it. The embeddings
may be in item_metadata.parquet instead. Each file may be a folder of part files.
"""

from functools import partial
from pathlib import Path

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from readers import vk
from readers.ids import places_of
from readers.params import ReaderParams
from readers.parquet import describe, is_number, read_table
from readers.positive_rule import Rule
from readers.table_files import natural
from readers.time_order import TIMESTAMP

STRENGTH_COLUMNS, strength = vk.STRENGTH_COLUMNS, vk.strength
INTERACTIONS = ("train.parquet", "test.parquet")
METADATA = ("user_metadata.parquet", "item_metadata.parquet", "item_embeddings.parquet")
USERS, ITEMS, EMBEDDINGS = METADATA
TIME = TIMESTAMP


def read(data: ReaderParams) -> Tables:
    """Return the tables of the folder. Raises InputError if a file is missing or invalid."""
    rule, folder = Rule.parse(data.positive), Path(data.path)
    paths = [folder / name for name in INTERACTIONS]
    for path in paths:
        if not describe(path)[1]:
            raise InputError(f"{path}: no rows; interactions are needed")
    of_ids = partial(read_metadata, folder, data)
    tables = vk.read_log(paths, rule, of_ids, "is_test", np.array([False, True]))
    if TIMESTAMP in tables.interactions.column_names:
        times, is_test = (tables.interactions[of].to_numpy() for of in (TIMESTAMP, "is_test"))
        is_earlier = times[is_test] < times[~is_test][-1]
        if n := np.count_nonzero(is_earlier):
            report(
                f"{paths[1]}: {n:,} of {len(is_earlier):,} rows are earlier than the last row of"
                f" {paths[0].name}; the test file is still the last window"
            )
    return tables


def read_metadata(folder: Path, data: ReaderParams, *ids: pa.Array) -> vk.Metadata:
    """Return the metadata of these users and items."""
    tables = vk.users_and_items(folder / USERS, folder / ITEMS, *ids)
    for path in (folder / EMBEDDINGS, folder / ITEMS):
        schema = describe(path, ["item_id"])[0] if path.exists() else pa.schema([])
        if columns := embedding_columns(schema, path):
            break
    else:
        raise InputError(
            f"{folder / EMBEDDINGS}: not found or without an embedding, and {ITEMS} has none; one"
            " must have a column of lists of numbers, or columns such as emb_0, emb_1"
        )
    if path.name != EMBEDDINGS:
        report(f"{folder / EMBEDDINGS}: no embedding; {columns[0]} of {ITEMS} is used")
    table = read_table(path, ["item_id", *columns])
    vectors = vectors_of(table.select(columns), path)
    places = places_of(ids[1], table["item_id"], path, "item_id")
    return *tables, vk.embeddings_of(places, vectors, data.embedding_width, path)


def embedding_columns(schema: pa.Schema, path: Path) -> list[str]:
    """Return the columns of the embedding.

    That is `embedding` or `embeddings`; or else the only column of lists of numbers; or else the
    columns of numbers whose names differ only in a number, such as emb_0 and emb_1.
    """
    of_lists = {of.name: getattr(of.type, "value_type", None) for of in schema}
    lists = [[name] for name, kind in of_lists.items() if kind and is_number(kind)]
    named = [names for names in lists if names[0] in ("embedding", "embeddings")]
    numbered: dict[str, list[str]] = {}
    for name in sorted(schema.names, key=natural):
        if name[-1:].isdecimal() and is_number(schema.field(name).type):
            numbered.setdefault(name.rstrip("0123456789"), []).append(name)
    choices = named[:1] or lists or [names for names in numbered.values() if len(names) > 1]
    if len(choices) > 1:
        names = ", ".join(columns[0] for columns in choices)
        raise InputError(f"{path}: each of {names} could be the embedding; keep one of them")
    return choices[0] if choices else []


def vectors_of(table: pa.Table, path: Path) -> np.ndarray:
    """Return a column of lists of one length, or columns of numbers, as float32 (n_rows, width)."""
    if table.num_columns > 1:
        return np.column_stack([of.cast(pa.float32(), safe=False).to_numpy() for of in table])
    lists = table[0].combine_chunks()
    lengths = pc.list_value_length(lists).unique().drop_null().to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        there = f"{table.column_names[0]} has lists of {', '.join(map(str, lengths)) or 'no'}"
        raise InputError(f"{path}: {there} numbers; must be lists of one length")
    vectors = np.full((len(lists), lengths[0]), np.nan, dtype=np.float32)
    numbers = lists.drop_null().flatten().cast(pa.float32(), safe=False)
    vectors[lists.is_valid()] = numbers.to_numpy(zero_copy_only=False).reshape(-1, lengths[0])
    return vectors
