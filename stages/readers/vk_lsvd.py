"""Reads VK-LSVD in its public layout, whole or one subsample, into the four tables of tables.py.

    interactions/ or subsamples/NAME/     train/, validation/ and test/ with week_NN.parquet:
                                          user_id, item_id, feedback columns; rows in time order
    metadata/users_metadata.parquet       user_id, age, gender, geo
    metadata/items_metadata.parquet       item_id, author_id, duration
    metadata/item_embeddings.npz          item_id (n,), embedding (n, width), in an order of its own

The weeks are those whose files there are, in each of the three folders one at least, numbers
without a gap from train to test. A week without rows counts. The interactions carry the number of
weeks as the schema's metadata n_weeks, since the last week may be such a one.
"""

import re
import zipfile
import zlib
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa

from folds.tables import Tables
from readers.ids import Ids
from readers.params import Data
from readers.positive_rule import Rule
from readers.vk_metadata import (
    Finder,
    check_metadata,
    chosen_width,
    existing,
    read_items,
    read_log,
    read_users,
    reading,
    without_holes,
)

PARTS = ("train", "validation", "test")
USERS, ITEMS = "metadata/users_metadata.parquet", "metadata/items_metadata.parquet"
EMBEDDINGS = "metadata/item_embeddings.npz"


def read(data: Data) -> Tables:
    """The tables of the folder data.path; InputError where a file is missing, broken or unfit."""
    rule = Rule.parse(data.positive)
    folder = Path(data.path)
    existing(
        folder, "data.path", data.path, "it must hold metadata/ and interactions/ or subsamples/"
    )
    weeks = find_weeks(weeks_folder(folder, data.subsample))
    check_metadata(folder / USERS, folder / ITEMS)
    if not (folder / EMBEDDINGS).exists():
        raise InputError(f"{folder / EMBEDDINGS}: not found")
    log = read_log(weeks, rule)
    week = np.repeat(np.arange(len(weeks), dtype=np.int16), log.n_rows)
    interactions = pa.table({**log.columns, "week": week})
    items, item_tags = read_items(folder / ITEMS, log.items)
    return Tables(
        interactions.replace_schema_metadata({b"n_weeks": str(len(weeks)).encode()}),
        read_users(folder / USERS, log.users),
        items,
        item_tags,
        read_embeddings(folder / EMBEDDINGS, log.items, data.embedding_width),
    )


def weeks_folder(folder: Path, subsample: str) -> Path:
    """Where train/, validation/ and test/ are."""
    if not subsample:
        hint = 'data.subsample "" is the whole data set, a name one below subsamples/'
        return existing(folder / "interactions", "data.subsample", subsample, hint)
    there = sorted(path.name for path in folder.glob("subsamples/*") if path.is_dir())
    hint = f"there are {', '.join(there)}" if there else "there are no subsamples"
    return existing(folder / "subsamples" / subsample, "data.subsample", subsample, hint)


def find_weeks(folder: Path) -> list[Path]:
    """The files of all weeks, oldest first; InputError where the numbers are not consecutive."""
    weeks: list[tuple[int, Path]] = []
    for part in PARTS:
        in_part = [(_number(path), path) for path in (folder / part).glob("week_*.parquet")]
        if not in_part:
            raise InputError(f"{folder / part}: no week_NN.parquet; one week or more must be there")
        weeks += sorted(in_part)
    for (before, path_before), (number, path) in zip(weeks, weeks[1:], strict=False):
        if number != before + 1:
            name = path_before.relative_to(folder)
            raise InputError(
                f"{path}: week {number} follows week {before} of {name}; must be week {before + 1},"
                " since weeks go on by one from train to validation to test"
            )
    return [path for _, path in weeks]


def _number(path: Path) -> int:
    match = re.fullmatch(r"week_([0-9]+)\.parquet", path.name)
    if match is None:
        raise InputError(f"{path}: not the name of a week; must be week_NN.parquet, NN a number")
    return int(match.group(1))


def read_embeddings(path: Path, ids: Ids, width: int) -> np.ndarray:
    """float32 (n_items, width), the first `width` columns, all if 0; NaN for an item without."""
    item_id, embedding = _arrays(path)
    width = chosen_width(width, embedding.shape[1], path)
    finder = Finder(ids, path, "item_id")
    place, row = finder.find(pa.chunked_array([item_id]))
    finder.close()
    embeddings = np.full((len(ids), width), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and so no usable embedding
        embeddings[row] = embedding[place, :width]
    return without_holes(embeddings, path)


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(item_id (n,), embedding (n, width)), ids and numbers; nothing is ever unpickled."""
    names = ("item_id", "embedding")
    errors = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)
    with reading(path, "npz", *errors):
        loaded = np.load(path, allow_pickle=False)
        there = getattr(loaded, "files", [])  # not of a npy file
        arrays = [loaded[name] for name in names if name in there]
    if len(arrays) < len(names):
        there = ", ".join(there) or "none"
        raise InputError(f"{path}: its arrays are {there}; must be {' and '.join(names)}")
    item_id, embedding = arrays
    is_fit = item_id.ndim == 1 and item_id.dtype.kind in "iuU"
    is_fit &= embedding.ndim == 2 and embedding.dtype.kind in "fiu" and embedding.size > 0
    if not is_fit or len(embedding) != len(item_id):
        raise InputError(
            f"{path}: item_id is {item_id.dtype} {item_id.shape}, embedding {embedding.dtype}"
            f" {embedding.shape}; must be integers or strings (n,) and numbers (n, width)"
        )
    return item_id, embedding
