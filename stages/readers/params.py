"""What a reader is told: the keys of the section `data` of params.yaml.

Which values `source` may have, the registry says: see DataParams in __init__.py.
"""

import os
import re
from pathlib import Path

from harness.params import Strict
from harness.script import InputError

from pydantic import Field, field_validator

from readers import vk_layout

IGNORED = Path(".dvcignore")
OF_DVC_AND_GIT = (".dvc/", ".git/")  # which DVC ignores in any case


class ReaderParams(Strict):
    """Where the interactions come from, and which of them count as positive."""

    source: str  # the layout of the folder: a name of READERS
    path: str = Field(min_length=1)  # the folder; only read, unless `download` fetches into it
    positive: str = Field(min_length=1)  # rule over the feedback columns, such as `timespent > 5`
    subsample: str  # vk-lsvd: name under subsamples/, such as ur0.01_ir0.01; "" = all of it
    embedding_width: int = Field(ge=0, le=100_000)  # vk layouts: first columns to use; 0 = all
    download: bool  # vk-lsvd: fetch absent files from the Hugging Face hub into `path`

    @field_validator("subsample")
    @classmethod
    def _is_plain(cls, subsample: str) -> str:
        if not re.fullmatch(r"(\w[\w.-]*)?", subsample, re.ASCII):  # or it could leave the folder
            raise ValueError(
                "must be the plain name of a folder in subsamples/, such as ur0.01_ir0.01, or ''"
            )
        return subsample


def existing(folder: Path, key: str, value: str, hint: str) -> Path:
    """The folder; InputError, naming the parameter that names it, where there is none."""
    if not folder.is_dir():
        raise InputError(f"{key} is {value!r}: {folder} is not a folder; {hint}")
    return folder


def check_not_ignored(data: ReaderParams) -> None:
    """InputError where DVC does not see the files that are read, and so none of their changes:
    they lie in the repository, below a name that .dvcignore hides.
    """
    folders = {"data.path": Path(data.path)}
    if data.subsample:
        folders["data.subsample"] = Path(data.path) / vk_layout.weeks_folder(data.subsample)
    for key, folder in folders.items():
        inside = os.path.relpath(folder)
        if not inside.startswith(os.pardir) and is_ignored(inside):
            raise InputError(
                f"{key} names {folder}, which DVC ignores ({IGNORED}): changes there would go"
                " unseen; rename the folder"
            )


def is_ignored(folder: str) -> bool:
    """Whether DVC ignores a folder of the repository, relative to its top."""
    from pathspec import GitIgnoreSpec  # as in DVC; late, since most data lies elsewhere

    rules = IGNORED.read_text(encoding="utf-8").splitlines() if IGNORED.exists() else []
    return GitIgnoreSpec.from_lines([*OF_DVC_AND_GIT, *rules]).match_file(f"{folder}/")
