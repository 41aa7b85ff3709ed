"""Fetches VK-LSVD into data.path from the Hugging Face hub (that of HF_ENDPOINT, if it is set).

huggingface_hub is imported where it is used: it takes 0.4 s to load, and other sources need none of
it. It also reads its environment then, of which `fetch` sets a part before.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from harness.script import InputError, report

from fetchers.raw_folder import is_in_raw, sha256
from readers import vk_layout
from readers.params import ReaderParams

HUB_DATASET = "deepvk/VK-LSVD"
FOLDER_HINT = f"data.download=true fetches {HUB_DATASET} into it"


def is_asked(data: ReaderParams) -> bool:
    """Whether the parameters ask for it; what is in data/raw is not for this fetcher."""
    return data.download and not is_in_raw(data)


def fetch(data: ReaderParams, temporary: Path) -> None:
    """Fetches the files that data.path lacks; InputError where hub, network or space fail it.

    Half-fetched files stay beside their targets, not in the temporary folder, for the next run.
    """
    folder = Path(data.path)
    if is_whole(folder, data.subsample):
        return
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read by the import
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # its retries are no news; its last error is
    try:
        fetch_absent(folder, data.subsample)
    except (errors.HTTPError, OSError, json.JSONDecodeError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk
            raise
        raise InputError(
            f"{HUB_DATASET} cannot be fetched from {constants.ENDPOINT}: {hub_reason(error)};"
            " the next run goes on from here"
        ) from None


def fetch_absent(folder: Path, subsample: str) -> None:
    """Fetches the files that the folder lacks, one by one, all of one commit of the dataset."""
    commit = latest_commit()
    report(f"{HUB_DATASET} is at commit {commit or 'unknown'}")
    sizes = hub_sizes(commit)
    absent = [name for name in needed(sizes, subsample) if not (folder / name).is_file()]
    check_space(folder, {name: sizes.get(name, 0) for name in absent})
    for number, name in enumerate(absent, start=1):
        size_mb = sizes.get(name, 0) / 1e6
        report(f"fetching {number} of {len(absent)}: {name} ({size_mb:,.1f} MB)")
        fetch_file(name, folder / name, commit)


def is_whole(folder: Path, subsample: str) -> bool:
    """Whether the folder can be used as it is: the metadata, and at least a week of each part.

    Fewer weeks than the hub has are the user's choice. An interrupted download does not look like
    that: it fetches the week of the test part, of which there is one, last.
    """
    weeks = folder / vk_layout.weeks_folder(subsample)
    return all((folder / name).is_file() for name in vk_layout.METADATA) and all(
        any((weeks / part).glob(vk_layout.ANY_WEEK)) for part in vk_layout.PARTS
    )


def needed(names: Iterable[str], subsample: str) -> list[str]:
    """The files to have, in the order of fetching; InputError for an unknown subsample."""
    folder = vk_layout.weeks_folder(subsample)
    paths = [PurePosixPath(name) for name in sorted(names)]
    weeks = [
        str(path)
        for part in vk_layout.PARTS
        for path in paths
        if path.parent == PurePosixPath(folder, part)
        and vk_layout.week_number(path.name) is not None
    ]
    if not weeks:
        known = sorted({path.parts[1] for path in paths if path.parts[0] == vk_layout.SUBSAMPLES})
        raise InputError(
            f"data.subsample is {subsample!r}: {HUB_DATASET} has {', '.join(known) or 'none'};"
            ' "" is the whole dataset'
        )
    return [*vk_layout.METADATA, *weeks]


def hub_reason(error: Exception) -> str:
    """What went wrong, in one line; the address without its query, which may be a signature."""
    if isinstance(error, json.JSONDecodeError):
        return "the answer is not that of a Hugging Face hub"
    response = getattr(error, "response", None)
    if response is None:
        return " ".join(str(error).split()) or type(error).__name__
    reason = f"HTTP {response.status_code} for {str(response.url).split('?')[0]}"
    return f"{reason}, HF_TOKEN may help" if response.status_code in (401, 403) else reason


def latest_commit() -> str | None:
    """The commit that the hub gives files of, unless one is named; None where it does not say.

    Without a network this fails at once; the listing retries for half a minute, without timeout.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(HUB_DATASET, vk_layout.USERS, repo_type="dataset")
    return get_hf_file_metadata(url).commit_hash


def hub_sizes(commit: str | None) -> dict[str, int]:
    """Size in bytes of every file of the dataset."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    tree = HfApi().list_repo_tree(HUB_DATASET, repo_type="dataset", recursive=True, revision=commit)
    return {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}


def partials(target: Path) -> list[Path]:
    """What an earlier run has fetched of the file, if anything; its name carries the ETag."""
    return list(target.parent.glob(f".{target.name}.*.tmp"))


def only_partial(target: Path, etag: str, n_bytes: int | None) -> Path:
    """The file to go on with, which may be new; other versions, and a longer one, are removed."""
    partial = target.with_name(f".{target.name}.{etag}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in partials(target):
        if left != partial or (n_bytes is not None and left.stat().st_size > n_bytes):
            left.unlink()
    return partial


def check_space(folder: Path, sizes: dict[str, int]) -> None:
    """InputError where the files do not fit on the disk of the folder."""
    n_there = sum(path.stat().st_size for name in sizes for path in partials(folder / name))
    n_bytes = sum(sizes.values()) - n_there
    disk = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    n_free = shutil.disk_usage(disk).free
    if n_bytes > n_free:
        raise InputError(
            f"{folder}: {n_bytes / 1e6:,.0f} MB to fetch, {n_free / 1e6:,.0f} MB free on the disk"
        )


def fetch_file(name: str, target: Path, commit: str | None) -> None:
    """One file of the commit, whole or not at all; its sha256 is verified where the hub tells it
    (of large files).

    Not by hf_hub_download, which drops a half-fetched file when it is interrupted (a week of the
    whole dataset is gigabytes), verifies the size alone, and leaves a .cache with timestamps in the
    folder, which to DVC is a change of the data.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(HUB_DATASET, name, repo_type="dataset", revision=commit)
    remote = get_hf_file_metadata(url)
    if remote.etag is None:
        raise InputError(f"{url}: no ETag in the answer; it is not from a Hugging Face hub")
    etag = re.sub(r"\W", "", remote.etag)
    partial = only_partial(target, etag, remote.size)
    fetch_rest(url, name, partial, remote.size)
    if re.fullmatch("[0-9a-f]{64}", etag) and sha256(partial) != etag:
        partial.unlink()
        raise InputError(f"{url}: sha256 is not the published {etag}; the next run fetches it anew")
    os.replace(partial, target)


def fetch_rest(url: str, name: str, partial: Path, n_bytes: int | None) -> None:
    """Appends to `partial`, which may be new, what it lacks of the n_bytes; `name`  to display."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    with partial.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=file.tell(),
            headers={**build_hf_headers(), "Accept-Encoding": "identity"},
            expected_size=n_bytes,
            displayed_filename=name,
        )
