"""Reads VK-LSVD in its public layout, whole or one subsample, into the tables of core/tables.py.

vk_lsvd_files.py describes the layout. Every week with a file is a window, even without rows. Rows
of a week are sorted by `timestamp` if all weeks have it. The test part, some weeks and the
embeddings may be missing.
"""

import json
from functools import partial
from pathlib import Path

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa

from readers import vk_lsvd_files as files
from readers.ids import Ids
from readers.params import ReaderParams
from readers.parquet import reading
from readers.positive_rule import Rule
from readers.time_order import TIMESTAMP
from readers.vk_log import STRENGTH_COLUMNS, read_log, strength
from readers.vk_metadata import check_metadata, embeddings_of, read_metadata

__all__ = ["FETCHER", "STRENGTH_COLUMNS", "TIME", "read", "strength"]

FETCHER = files
TIME = "week"  # optional column in a file of new users: the number in the name of the week's file


def read(data: ReaderParams) -> Tables:
    """Return the tables of the folder. Raises InputError if a file is missing or invalid."""
    rule, folder = Rule.parse(data.positive), Path(data.path)
    users, items, embeddings = (folder / name for name in files.METADATA)
    weeks = find_weeks(folder, data)
    check_metadata(users, items)
    if not embeddings.exists():
        report_absent(f"{embeddings}: not found; no item has an embedding", data)
    numbers = np.arange(len(weeks), dtype=np.int16)
    of_ids = partial(read_metadata, users, items)
    log, item_ids, of = read_log(list(weeks.values()), rule, of_ids, "week", numbers)
    columns = {"start": list(weeks), "part": [path.parent.name for path in weeks.values()]}
    metadata = {"n_weeks": str(len(weeks)), "weeks": json.dumps(columns)}
    log = log.select([of for of in log.column_names if of != TIMESTAMP])  # weeks are the windows
    return Tables(
        log.replace_schema_metadata(metadata | (log.schema.metadata or {})),
        *of,
        read_embeddings(embeddings, item_ids, data.embedding_width)
        if embeddings.exists()
        else np.full((len(item_ids), 1), np.nan, dtype=np.float32),
    )


def report_absent(what: str, data: ReaderParams) -> None:
    """Print what is missing. Raises InputError if `download` should have fetched it."""
    if data.download:
        raise InputError(f"{what}; data.download is true: run python stages/download.py")
    report(what)


def find_weeks(folder: Path, data: ReaderParams) -> dict[int, Path]:
    """Return the file of each week by number, oldest first. Raises InputError without weeks."""
    below = folder / files.weeks_folder(data.subsample)
    found: dict[int, Path] = {}
    for path in (path for part in files.PARTS for path in (below / part).glob(files.ANY_WEEK)):
        number = files.week_number(path.name)
        if number is not None and found.setdefault(number, path) != path:
            raise InputError(f"{path}: {found[number]} is week {number} too; remove one of them")
    if not found:
        there = sorted(path.name for path in (folder / files.SUBSAMPLES).glob("*"))
        raise InputError(
            f"data.subsample is {data.subsample!r}: no {below}/train/week_NN.parquet;"
            f" the subsamples there are {', '.join(there) or 'none'}, '' is the whole data set"
        )
    weeks = dict(sorted(found.items()))
    last = weeks[max(weeks)]
    if last.parent.name != files.PARTS[-1]:
        report_absent(f"{below / files.PARTS[-1]}: no week; the last window is {last.name}", data)
    if absent := sorted({*range(min(weeks), max(weeks))} - {*weeks}):
        numbers = ", ".join(map(str, absent))
        report(f"{below}: week {numbers} is missing; the weeks around it count as consecutive")
    return weeks


def read_embeddings(path: Path, ids: Ids, width: int) -> np.ndarray:
    """Return embeddings (see embeddings_of) from a file that arrays_of() reads."""
    item_id, embedding = arrays_of(path)
    return embeddings_of(ids, pa.chunked_array([item_id]), embedding, width, path)


def arrays_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the arrays item_id (n,) and embedding (n, width) of a file, without unpickling."""
    # zip, zlib and numpy raise many errors for a broken file
    with reading(path, "npz", Exception), np.load(path, allow_pickle=False) as loaded:
        item_id, embedding = (np.asarray(loaded[name]) for name in ("item_id", "embedding"))
    is_fit = item_id.dtype.kind in "iuU" and embedding.dtype.kind in "fiu" and embedding.ndim == 2
    if not is_fit or item_id.shape != embedding.shape[:1] or not embedding.size:
        raise InputError(
            f"{path}: item_id is {item_id.dtype} {item_id.shape}, embedding {embedding.dtype}"
            f" {embedding.shape}; must be integers or strings (n,) and numbers (n, width)"
        )
    return item_id, embedding
