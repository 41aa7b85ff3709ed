"""A revision of the repository: a branch, a commit, an experiment of DVC, or `workspace`.

Read are the files that git tracks, as they are in the revision, and through DVC's file system the
outs that the revision's dvc.lock names, from the cache or a remote. So the workspace is what its
dvc.lock says, too, and files in data/ that were never checked out have no influence.
"""

import json
from pathlib import Path
from typing import BinaryIO

from harness.script import InputError

import pyarrow as pa
import pyarrow.parquet as pq
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.fs import GitFileSystem
from dvc.fs.data import DataFileSystem
from dvc.repo import Repo
from dvc.scm import SCMError, map_scm_exception
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

WORKSPACE = "workspace"


def repo_at(name: str, workspace: Repo) -> Repo:
    """The repository in a revision. It may stand in a subfolder of git's, where DVC, asked for a
    revision, would look for it in the top folder.
    """
    top = Path(workspace.scm.root_dir)
    folder = Path(workspace.root_dir).relative_to(top)
    files = GitFileSystem(scm=workspace.scm, rev=name)
    with map_scm_exception():
        return Repo(f"/{folder.as_posix()}" if folder.parts else "/", files, scm=workspace.scm)


class Revision:
    """Reads files of a revision. InputError where the revision or a file is not to be had."""

    def __init__(self, name: str) -> None:
        self.name, self._yaml = name, {}
        try:
            workspace = Repo()
            self._repo = workspace if name == WORKSPACE else repo_at(name, workspace)
        except NotDvcRepoError:
            raise InputError("not in a DVC repository; run from its top folder") from None
        except SCMError:
            raise InputError(
                f"{name}: no branch, commit or experiment of this name; see git branch --all, git "
                "log and dvc exp list --all-commits"
            ) from None

    @property
    def commit(self) -> str:
        """The hash, '' for the workspace."""
        return "" if self.name == WORKSPACE else self._repo.get_rev()

    def yaml(self, path: str) -> dict:
        """A YAML file that git tracks, {} where there is none; read once."""
        if path not in self._yaml:
            self._yaml[path] = self._load_yaml(path)
        return self._yaml[path]

    def _load_yaml(self, path: str) -> dict:
        files = self._repo.fs
        try:
            with files.open(files.join(self._repo.root_dir, path), encoding="utf-8") as file:
                return YAML(typ="safe").load(file) or {}
        except FileNotFoundError:
            return {}
        except YAMLError as error:
            line = " ".join(str(error).split())
            raise InputError(f"{self.name}: {path}: not YAML: {line}") from None

    def json(self, path: str) -> dict:
        """A JSON file that git or DVC tracks."""
        with self._open(path) as file:
            return json.load(file)

    def table(self, path: str, columns: list[str]) -> pa.Table:
        """These columns of a parquet file that DVC tracks."""
        with self._open(path) as file:
            # in this thread alone: pyarrow's own may still hold this file of Python's when the
            # interpreter ends, and abort it
            parquet = pq.ParquetFile(file, pre_buffer=False)
            known = parquet.schema_arrow.names
            if missing := [column for column in columns if column not in known]:
                raise InputError(
                    f"{self.name}: {path} has no column {missing[0]}, but {', '.join(known)}"
                )
            return parquet.read(columns, use_threads=False)

    def _open(self, path: str) -> BinaryIO:
        files = self._repo.fs
        try:
            if not path.startswith("data/"):
                return files.open(files.join(self._repo.root_dir, path), mode="rb")
            return DataFileSystem(index=self._repo.index.data["repo"]).open(path, mode="rb")
        except (FileNotFoundError, DvcException):
            raise InputError(
                f"{self.name}: {path} is neither in the cache nor in a remote; push it where it "
                "was made (dvc push, or dvc exp push) and dvc pull it here, or run it again"
            ) from None
