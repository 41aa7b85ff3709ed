"""Folds, their target windows, and the outputs of stages that loop over folds.

Folds target consecutive windows. The first fold targets the last window of the data.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.params import Strict, is_judged, kind_of
from core.script import InputError, check_outputs_may_stay, whole_folder

from pydantic import Field

FILE = Path("data/split/folds.json")


class SplitParams(Strict):
    windows: int = Field(ge=3, le=1000)  # number of equal parts, for sources without weeks


@dataclass(frozen=True)
class Folds:
    """The target window of each fold by name, latest fold first."""

    windows: dict[str, int]

    @property
    def names(self) -> list[str]:
        return list(self.windows)

    @property
    def judged(self) -> list[str]:
        """The folds that models are evaluated on."""
        return [fold for fold in self.windows if is_judged(fold)]

    def of_kind(self, kind: str) -> list[str]:
        """Return the folds of a kind, such as validation."""
        return [fold for fold in self.windows if kind_of(fold) == kind]

    def training(self, most: int) -> dict[str, tuple[int, list[str]]]:
        """Return the target window of each judged fold and the folds that train its ranker.

        These are the `most` folds, or fewer, that come directly before it in time.
        """
        starts = {fold: self.names.index(fold) + 1 for fold in self.judged}
        return {of: (self.windows[of], self.names[at : at + most]) for of, at in starts.items()}


def folds_of(names: list[str], n_windows: int) -> Folds:
    """Return the folds of data with n_windows. Raises InputError if one would have no history."""
    if len(names) >= n_windows:
        raise InputError(
            f"params.yaml: folds has {len(names)} folds, which need {len(names) + 1} windows or"
            f" more; the data has {n_windows}"
        )
    return Folds({fold: n_windows - behind for behind, fold in enumerate(names, start=1)})


def save(folds: Folds, path: Path) -> None:
    """Write the folds for later stages."""
    path.write_text(json.dumps(folds.windows, indent=2) + "\n", encoding="utf-8")


def load() -> Folds:
    """Read the folds that `split` has written."""
    return Folds(json.loads(FILE.read_text(encoding="utf-8")))


@contextlib.contextmanager
def outputs_of_folds(folder: Path, arguments: list[str]) -> Iterator[tuple[list[str], Path]]:
    """Yield the folds to process and a temporary folder for their files.

    Without an argument, these are all folds, and the temporary folder replaces `folder` at the end.
    With an argument FOLD, only the files of this fold are replaced.
    """
    names = load().names
    if not arguments:
        with whole_folder(folder) as temporary:
            yield names, temporary
        return
    if len(arguments) > 1 or arguments[0] not in names:
        raise InputError(f"usage: python {sys.argv[0]} [FOLD], with FOLD one of {', '.join(names)}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=".tmp") as temporary:
        yield arguments, Path(temporary)
        check_outputs_may_stay()
        for path in Path(temporary).iterdir():
            os.replace(path, folder / path.name)
