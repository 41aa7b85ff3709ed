"""A revision of the repository: a branch, a commit, an experiment of DVC, or `workspace`.

Files that git tracks are read as they are in the revision. Outs of DVC are read from the cache or a
remote, by the hashes in the revision's dvc.lock. Files in data/ have no influence.
"""

import re
from pathlib import Path
from typing import BinaryIO

from core.params import written
from core.script import InputError

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.fs import GitFileSystem
from dvc.fs.data import DataFileSystem
from dvc.repo import Repo
from dvc.scm import SCMError, map_scm_exception
from dvc_data.hashfile.build import build
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_data.index.index import DataIndexDirError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

WORKSPACE = "workspace"


def open_repo(name: str) -> Repo:
    """The repository in a revision, also where it is a subfolder of a git repository: there DVC by
    itself looks in the top folder.
    """
    workspace = Repo()
    if name == WORKSPACE:
        return workspace
    is_commit = name.isprintable() and re.fullmatch(r"(?!.*(:|\^\{)).{1,200}", name)
    if not is_commit:  # but, for example, a path in a commit, or its tree
        raise SCMError("not a commit")
    folder = Path(workspace.root_dir).relative_to(workspace.scm.root_dir)
    with map_scm_exception():
        files = GitFileSystem(scm=workspace.scm, rev=name)
        return Repo(f"/{folder.as_posix()}" if folder.parts else "/", files, scm=workspace.scm)


class Revision:
    """Reads files of a revision. InputError where the revision or a file is not available."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._repo = open_repo(name)
        except NotDvcRepoError:
            raise InputError("not in a DVC repository; run from its top folder") from None
        except SCMError:
            raise InputError(
                f"{written(name)}: no branch, commit or experiment of this name; see git branch "
                "--all, git log and dvc exp list --all-commits"
            ) from None
        self.commit = "" if name == WORKSPACE else self._repo.get_rev()

    def _path(self, path: str) -> str:
        return self._repo.fs.join(self._repo.root_dir, path)

    def tree(self, path: str) -> dict:
        """A YAML or JSON file that git tracks, {} where there is none."""
        try:
            with self._repo.fs.open(self._path(path), encoding="utf-8") as file:
                return YAML(typ="safe").load(file) or {}
        except FileNotFoundError:
            return {}
        except YAMLError as error:
            line = " ".join(str(error).split())
            raise InputError(f"{self.name}: {path}: not YAML: {line}") from None

    def open_out(self, path: str) -> BinaryIO:
        """A file that DVC tracks."""
        try:
            return DataFileSystem(index=self._repo.index.data["repo"]).open(path, mode="rb")
        except (FileNotFoundError, DvcException, DataIndexDirError):
            raise InputError(
                f"{self.name}: {path} is neither in the cache nor in a remote; run dvc push where "
                "it was made and dvc pull here, or check the revision out and run dvc repro"
            ) from None

    def files_in(self, folder: str, md5: str) -> dict[str, str]:
        """Path -> md5 of each file in a folder that dvc.lock records with this md5. {} where it is
        neither in the cache nor among the files that git tracks.
        """
        cache, path = self._repo.cache.local, self._path(folder)
        try:
            tree = Tree.load(cache, HashInfo("md5", md5))
        except FileNotFoundError:
            if not self._repo.fs.isdir(path):
                return {}
            ignore = self._repo.dvcignore
            tree = build(cache, path, self._repo.fs, "md5", ignore=ignore, dry_run=True)[2]
        is_it = tree.hash_info.value == md5
        return {f"{folder}/{'/'.join(key)}": of.value for key, _, of in tree} if is_it else {}
