"""Files of VK-LSVD's public layout and their download from the Hugging Face hub.

interactions/ or subsamples/NAME/     train/, validation/ and test/ with week_NN.parquet:
                                      user_id, item_id, feedback columns; rows in time order
metadata/users_metadata.parquet       user_id, age, gender, geo
metadata/items_metadata.parquet       item_id, author_id, duration
metadata/item_embeddings.npz          item_id (n,), embedding (n, width), in any order

huggingface_hub is imported late, because it reads its environment when it is loaded.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from core.script import InputError, report

from readers.params import ReaderParams

USERS = "metadata/users_metadata.parquet"
ITEMS = "metadata/items_metadata.parquet"
EMBEDDINGS = "metadata/item_embeddings.npz"
METADATA = (USERS, ITEMS, EMBEDDINGS)
PARTS = ("train", "validation", "test")  # in the order of time
SUBSAMPLES = "subsamples"
ANY_WEEK = "week_*.parquet"
HUB_DATASET = "deepvk/VK-LSVD"


def weeks_folder(subsample: str) -> str:
    """Return the folder that contains PARTS. "" means the whole data set."""
    return f"{SUBSAMPLES}/{subsample}" if subsample else "interactions"


def week_number(name: str) -> int | None:
    """Return the number in a file name such as week_07.parquet, None for other names."""
    match = re.fullmatch(r"week_([0-9]+)\.parquet", name)
    return int(match[1]) if match else None


def is_asked(data: ReaderParams) -> bool:
    """Return whether the parameters ask for a download."""
    return data.download


def fetch(data: ReaderParams, raw: Path) -> None:
    """Download the files that data.path lacks. Raises InputError if hub or network fail."""
    folder = Path(data.path)
    if is_whole(folder, data.subsample):
        return
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read by the import
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # no lines for retries, only for the last error
    try:
        fetch_absent(folder, data.subsample)
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


def fetch_absent(folder: Path, subsample: str) -> None:
    """Download the files that the folder lacks, one by one, all of the same commit."""
    from huggingface_hub import HfApi, hf_hub_download

    info = HfApi().dataset_info(HUB_DATASET)
    names = needed([file.rfilename for file in info.siblings], subsample)
    report(f"{HUB_DATASET} is at commit {info.sha}")
    absent = [name for name in names if not (folder / name).exists()]
    staging = folder / ".download"  # because the library leaves files with timestamps behind
    try:
        for number, name in enumerate(absent, start=1):
            report(f"fetching {number} of {len(absent)}: {name}")
            fetched = hf_hub_download(
                HUB_DATASET, name, repo_type="dataset", revision=info.sha, local_dir=staging
            )
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(fetched, folder / name)
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
    paths = [PurePosixPath(name) for name in sorted(names) if name.count("/") > 1]
    found = [path for path in paths if week_number(path.name) is not None]
    folders = [PurePosixPath(weeks_folder(subsample), part) for part in PARTS]
    weeks = [str(path) for folder in folders for path in found if path.parent == folder]
    if not weeks:
        known = sorted({path.parts[1] for path in paths if path.parts[0] == SUBSAMPLES})
        raise InputError(
            f"data.subsample is {subsample!r}: {HUB_DATASET} has {', '.join(known) or 'none'};"
            ' "" is the whole dataset'
        )
    return [*METADATA, *weeks]
