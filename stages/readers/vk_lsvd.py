"""Reads VK-LSVD in its public layout, whole or one subsample, and downloads it.

interactions/ or subsamples/NAME/     train/, validation/ and test/ with week_NN.parquet:
                                      user_id, item_id, feedback columns; rows in time order
metadata/users_metadata.parquet       user_id, age, gender, geo
metadata/items_metadata.parquet       item_id, author_id, duration
metadata/item_embeddings.npz          item_id (n,), embedding (n, width), in any order

Every week with a file is a window, even without rows. Rows of a week are sorted by `timestamp` if
all weeks have it. The test part, some weeks and the embeddings may be missing.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa

from readers import vk
from readers.ids import places_of
from readers.params import ReaderParams
from readers.parquet import reading
from readers.positive_rule import Rule
from readers.time_order import TIMESTAMP

STRENGTH_COLUMNS, strength = vk.STRENGTH_COLUMNS, vk.strength
FILES = ("users_metadata.parquet", "items_metadata.parquet", "item_embeddings.npz")
METADATA = [f"metadata/{name}" for name in FILES]
PARTS = ("train", "validation", "test")  # in the order of time
SUBSAMPLES = "subsamples"
ANY_WEEK, WEEK = "week_*.parquet", r"week_([0-9]+)\.parquet"
HUB_DATASET = "deepvk/VK-LSVD"
TIME = "week"  # optional column in a file of new users: the number in the name of the week's file


def weeks_folder(subsample: str) -> str:
    """Return the folder that contains PARTS. "" means the whole data set."""
    return f"{SUBSAMPLES}/{subsample}" if subsample else "interactions"


def is_asked(data: ReaderParams) -> bool:
    return data.download


def fetch(data: ReaderParams, raw: Path) -> None:
    """Download what data.path lacks, all of one commit; InputError if hub or network fail."""
    folder = Path(data.path)
    if is_whole(folder, data.subsample):
        return
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read by the import
    from huggingface_hub import HfApi, constants, errors, hf_hub_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # no lines for retries, only for the last error
    staging = folder / ".download"  # because the library leaves files with timestamps behind
    try:
        info = HfApi().dataset_info(HUB_DATASET)
        names = needed([file.rfilename for file in info.siblings], data.subsample)
        report(f"{HUB_DATASET} is at commit {info.sha}")
        absent = [name for name in names if not (folder / name).exists()]
        for number, name in enumerate(absent, start=1):
            report(f"fetching {number} of {len(absent)}: {name}")
            fetched = hf_hub_download(
                HUB_DATASET, name, repo_type="dataset", revision=info.sha, local_dir=staging
            )
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(fetched, folder / name)
    except (errors.HTTPError, OSError, json.JSONDecodeError) as error:
        if getattr(error, "errno", None) is not None:  # an error of the disk
            error.filename = error.filename or str(folder)
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = re.sub(r"\?\S+", "", reason)  # the query of a URL may be a signature
        raise InputError(
            f"{HUB_DATASET} cannot be fetched from {constants.ENDPOINT}: {reason};"
            " the next run continues from here"
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def is_whole(folder: Path, subsample: str) -> bool:
    """Return whether the folder has the metadata and a week of each part (test comes last)."""
    weeks = folder / weeks_folder(subsample)
    return all((folder / name).exists() for name in METADATA) and all(
        any((weeks / part).glob(ANY_WEEK)) for part in PARTS
    )


def needed(names: Iterable[str], subsample: str) -> list[str]:
    """Return the needed files in order of download. Raises InputError for an unknown subsample."""
    names, below = sorted(names), re.escape(weeks_folder(subsample))
    weeks = [
        name for part in PARTS for name in names if re.fullmatch(f"{below}/{part}/{WEEK}", name)
    ]
    if not weeks:
        known = sorted({name.split("/")[1] for name in names if re.match("subsamples/.*/", name)})
        raise InputError(
            f"data.subsample is {subsample!r}: {HUB_DATASET} has {', '.join(known) or 'none'};"
            ' "" is the whole dataset'
        )
    return [*METADATA, *weeks]


def read(data: ReaderParams) -> Tables:
    """Return the tables of the folder. Raises InputError if a file is missing or invalid."""
    rule, folder = Rule.parse(data.positive), Path(data.path)
    below = folder / weeks_folder(data.subsample)
    names = [f"{part}/{path.name}" for part in PARTS for path in (below / part).glob(ANY_WEEK)]
    weeks = find_weeks(below, names, [path.name for path in (folder / SUBSAMPLES).glob("*")], data)
    paths, numbers = [below / name for name in weeks.values()], np.arange(len(weeks), dtype="i2")
    tables = vk.read_log(paths, rule, partial(read_metadata, folder, data), "week", numbers)
    columns = {"start": list(weeks), "part": [path.parent.name for path in paths]}
    about = {"n_weeks": str(len(weeks)), "weeks": json.dumps(columns)}
    log = tables.interactions
    log = log.replace_schema_metadata(about | (log.schema.metadata or {}))
    log = log.select([of for of in log.column_names if of != TIMESTAMP])  # weeks are the windows
    return replace(tables, interactions=log)


def read_metadata(folder: Path, data: ReaderParams, *ids: pa.Array) -> vk.Metadata:
    """Return the metadata of these users and items."""
    *files, path = (folder / name for name in METADATA)
    tables = vk.users_and_items(*files, *ids)
    if path.exists():
        return *tables, read_embeddings(path, ids[1], data.embedding_width)
    report_absent(f"{path}: not found; no item has an embedding", data)
    return *tables, np.full((len(ids[1]), 1), np.nan, dtype=np.float32)


def report_absent(what: str, data: ReaderParams) -> None:
    """Print what is missing. Raises InputError if `download` should have fetched it."""
    if data.download:
        raise InputError(f"{what}; data.download is true: run python stages/download.py")
    report(what)


def find_weeks(
    below: str | Path, names: Iterable[str], there: Iterable[str], data: ReaderParams
) -> dict[int, str]:
    """Return the file of each week by number, oldest first. Raises InputError without weeks.

    below  the folder of PARTS; names  its files, as PART/NAME; there  the subsamples
    """
    found: dict[int, str] = {}
    for name in names:
        if match := re.fullmatch(WEEK, name.partition("/")[2]):
            number = int(match[1])
            if found.setdefault(number, name) != name:
                other = f"{below}/{found[number]} is week {number} too; remove one of them"
                raise InputError(f"{below}/{name}: {other}")
    if not found:
        raise InputError(
            f"data.subsample is {data.subsample!r}: no {below}/train/week_NN.parquet; the"
            f" subsamples there are {', '.join(sorted(there)) or 'none'}, '' is the whole data set"
        )
    weeks = dict(sorted(found.items()))
    part, _, last = weeks[max(weeks)].partition("/")
    if part != PARTS[-1]:
        report_absent(f"{below}/{PARTS[-1]}: no week; the last window is {last}", data)
    if absent := sorted({*range(min(weeks), max(weeks))} - {*weeks}):
        numbers = ", ".join(map(str, absent))
        report(f"{below}: week {numbers} is missing; the weeks around it count as consecutive")
    return weeks


def read_embeddings(path: Path, ids: pa.Array, width: int) -> np.ndarray:
    """Return embeddings_of the arrays item_id (n,) and embedding (n, width). Never unpickles."""
    # zip, zlib and numpy raise many errors for a broken file
    with reading(path, "npz", Exception), np.load(path, allow_pickle=False) as loaded:
        item_id, vectors = (np.asarray(loaded[name]) for name in ("item_id", "embedding"))
    is_fit = item_id.dtype.kind in "iuU" and vectors.dtype.kind in "fiu" and vectors.ndim == 2
    if not is_fit or item_id.shape != vectors.shape[:1] or not vectors.size:
        raise InputError(
            f"{path}: item_id is {item_id.dtype} {item_id.shape}, embedding {vectors.dtype}"
            f" {vectors.shape}; must be integers or strings (n,) and numbers (n, width)"
        )
    places = places_of(ids, pa.chunked_array([item_id]), path, "item_id")
    return vk.embeddings_of(places, vectors, width, path)
