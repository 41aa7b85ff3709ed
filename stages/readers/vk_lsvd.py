"""Reads VK-LSVD in its public layout, whole or one subsample, into the tables of folds/tables.py.

The layout stands in vk_layout.py. The weeks are those whose files there are, in each of the three
folders one at least, numbers without a gap from train to test. A week without rows counts. The
interactions carry the number of weeks as the schema's metadata n_weeks, since the last week may be
such a one.
"""

import zipfile
import zlib
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa

from folds.tables import Tables
from readers import vk_layout
from readers.ids import Finder, Ids
from readers.params import ReaderParams, existing
from readers.parquet import reading
from readers.positive_rule import Rule
from readers.vk_embeddings import chosen_width, usable_embeddings
from readers.vk_log import STRENGTH_COLUMNS, read_log, strength
from readers.vk_metadata import check_metadata, read_items, read_users

__all__ = ["STRENGTH_COLUMNS", "TIME", "read", "strength"]

TIME = "week"  # may stand in a file of new users: the number in the name of the week's file


def read(data: ReaderParams) -> Tables:
    """The tables of the folder data.path; InputError where a file is missing, broken or unfit."""
    rule = Rule.parse(data.positive)
    hint = "it must hold metadata/ and interactions/ or subsamples/"
    folder = existing(Path(data.path), "data.path", data.path, hint)
    users, items, embeddings = (folder / name for name in vk_layout.METADATA)
    weeks = find_weeks(existing_weeks_folder(folder, data.subsample))
    check_metadata(users, items)
    if not embeddings.exists():
        raise InputError(f"{embeddings}: not found")
    log = read_log(weeks, rule)
    week = np.repeat(np.arange(len(weeks), dtype=np.int16), log.n_rows)
    interactions = pa.table({**log.columns, "week": week, **log.channels})
    item_table, item_tags = read_items(items, log.items)
    first_week = _week_number(weeks[0])
    metadata = {b"n_weeks": b"%d" % len(weeks), b"first_week": b"%d" % first_week, **log.metadata}
    return Tables(
        interactions.replace_schema_metadata(metadata),
        read_users(users, log.users),
        item_table,
        item_tags,
        read_embeddings(embeddings, log.items, data.embedding_width),
    )


def existing_weeks_folder(folder: Path, subsample: str) -> Path:
    """Where train/, validation/ and test/ are; InputError where there is no such folder."""
    if subsample:
        paths = (folder / vk_layout.SUBSAMPLES).glob("*")
        there = sorted(path.name for path in paths if path.is_dir())
        hint = f"there are {', '.join(there)}" if there else "there are no subsamples"
    else:
        hint = 'data.subsample "" is the whole data set, a name one below subsamples/'
    weeks = folder / vk_layout.weeks_folder(subsample)
    return existing(weeks, "data.subsample", subsample, hint)


def find_weeks(folder: Path) -> list[Path]:
    """The files of all weeks, oldest first; InputError where the numbers are not consecutive."""
    weeks: list[tuple[int, Path]] = []
    for part in vk_layout.PARTS:
        paths = (folder / part).glob(vk_layout.ANY_WEEK)
        in_part = [(_week_number(path), path) for path in paths]
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


def _week_number(path: Path) -> int:
    number = vk_layout.week_number(path.name)
    if number is None:
        raise InputError(f"{path}: not the name of a week; must be week_NN.parquet, NN a number")
    return number


def read_embeddings(path: Path, ids: Ids, width: int) -> np.ndarray:
    """float32 (n_items, width), the first `width` columns, all if 0; NaN for an item without."""
    item_id, embedding = arrays_of(path)
    width = chosen_width(width, embedding.shape[1], path)
    finder = Finder(ids, path, "item_id")
    place, row = finder.find(pa.chunked_array([item_id]))
    finder.close()
    embeddings = np.full((len(ids), width), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and so no usable embedding
        embeddings[row] = embedding[place, :width]
    return usable_embeddings(embeddings, path)


def arrays_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(item_id (n,), embedding (n, width)), ids and numbers; nothing is ever unpickled."""
    names = ("item_id", "embedding")
    errors = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)
    errors += (MemoryError, OverflowError)  # of a header that promises more than there is
    with reading(path, "npz", *errors), np.errstate(invalid="ignore"):
        loaded = np.load(path, allow_pickle=False)
        there = getattr(loaded, "files", [])  # not of a npy file
        arrays = [np.asarray(loaded[name]) for name in names if name in there]  # or bytes
    if len(arrays) < len(names):
        there = ", ".join(there) or "none"
        raise InputError(f"{path}: its arrays are {there}; must be {' and '.join(names)}")
    item_id, embedding = (of.astype(of.dtype.newbyteorder("="), copy=False) for of in arrays)
    is_fit = item_id.ndim == 1 and item_id.dtype.kind in "iuU"
    is_fit &= embedding.ndim == 2 and embedding.dtype.kind in "fiu" and embedding.size > 0
    if not is_fit or len(embedding) != len(item_id):
        raise InputError(
            f"{path}: item_id is {item_id.dtype} {item_id.shape}, embedding {embedding.dtype}"
            f" {embedding.shape}; must be integers or strings (n,) and numbers (n, width)"
        )
    return item_id, embedding
