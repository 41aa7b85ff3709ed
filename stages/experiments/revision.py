"""A revision of the repository: a branch, a commit, an experiment of DVC, or `workspace`.

Files that git tracks are read from the revision. Outs of DVC are read from the cache or a remote,
by the hashes in the revision's dvc.lock. Present files in data/ do not matter.
"""

from pathlib import Path
from typing import BinaryIO

from core.params import parse_yaml
from core.script import InputError

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.fs import GitFileSystem
from dvc.fs.data import DataFileSystem
from dvc.repo import Repo
from dvc.scm import SCMError, map_scm_exception
from dvc_data.hashfile.build import build
from dvc_data.index.index import DataIndexDirError

WORKSPACE = "workspace"


def open_repo(name: str) -> Repo:
    """Open the DVC repository in a revision, even in a subfolder of a git repository.

    By default DVC would look only in the top folder of git.
    """
    try:
        workspace = Repo()
    except (NotDvcRepoError, SCMError):
        raise InputError("not in a repository of git and DVC; run from its top folder") from None
    if name == WORKSPACE:
        return workspace
    folder = Path(workspace.root_dir).relative_to(workspace.scm.root_dir)
    with map_scm_exception():
        files = GitFileSystem(scm=workspace.scm, rev=name)
        return Repo(f"/{folder.as_posix()}" if folder.parts else "/", files, scm=workspace.scm)


class Revision:
    """Reads files of a revision. Raises InputError if the revision or a file is not available."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._repo = open_repo(name)
        except SCMError:
            raise InputError(
                f"{name}: no branch, commit or experiment of this name; see git branch "
                "--all, git log and dvc exp list --all-commits"
            ) from None
        self.commit = "" if name == WORKSPACE else self._repo.get_rev()

    def _path(self, path: str) -> str:
        return self._repo.fs.join(self._repo.root_dir, path)

    def tree(self, path: str) -> dict:
        """Return the content of a YAML or JSON file that git tracks, or {} if there is none."""
        try:
            with self._repo.fs.open(self._path(path), "rb") as file:
                return parse_yaml(file.read(), f"{self.name}: {path}") or {}
        except FileNotFoundError:
            return {}

    def open_out(self, path: str) -> BinaryIO:
        try:
            return DataFileSystem(index=self._repo.index.data["repo"]).open(path, mode="rb")
        except (FileNotFoundError, DvcException, DataIndexDirError):
            raise InputError(
                f"{self.name}: {path} is neither in the cache nor in a remote; run dvc push where "
                "it was made and dvc pull here, or check the revision out and run dvc repro"
            ) from None

    def md5_of(self, path: str) -> str | None:
        """Return the md5 of a file or folder as DVC records it, or None if there is none."""
        fs, path = self._repo.fs, self._path(path)
        if not fs.exists(path):
            return None
        ignore, cache = self._repo.dvcignore, self._repo.cache.local
        return build(cache, path, fs, "md5", ignore=ignore, dry_run=True)[2].hash_info.value
