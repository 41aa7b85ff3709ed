"""A temporary clone of this repository on a small data set, in which tests run the real DVC."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from ruamel.yaml import YAML

TOP = Path(__file__).resolve().parents[1]
LONGEST_S = 300  # time limit of a command, for busy machines
FOLDS = ["test", "test_2", "validation", "validation_2", "label_1"]
SMALL = {  # parameters that make a run short or that tests rely on
    "seed": 42,
    "threads": 1,  # with more, a busy machine is many times slower
    "folds": FOLDS,
    "data.source": "movielens-1m",
    "data.positive": "rating >= 4",
    "split.windows": 7,
    "als.factors": 8,
    "als.iterations": 5,
    "als.regularization": 1.0,
    "candidates.per_source": 30,
    "ranker.n_estimators": 20,
    "ranker.min_data_in_leaf": 20,
    "ranker.n_seeds": 2,
    "ranker.train_folds": 2,
    "evaluate.k": 10,
    "evaluate.n_resamples": 500,
}


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition, and fail if it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@dataclass(frozen=True)
class Clone:
    """A repository with git, DVC and a folder of raw data.

    Nothing of the machine has an influence: no configuration of git or DVC, no shared cache.

    variables  of the environment, beside those that every clone has
    """

    folder: Path
    data: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Environment of all commands: this Python, and no configuration of git or DVC."""
        own = self.folder.parent / "settings"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DVC_", "GIT_")) and name not in ("PYTHONPATH", "PYTHONHOME")
        }
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_SYSTEM_CONFIG_DIR": str(own / "system"),
            "DVC_GLOBAL_CONFIG_DIR": str(own / "global"),
            "DVC_SITE_CACHE_DIR": str(own / "cache"),
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@localhost" for who in ("AUTHOR", "COMMITTER")},
            **self.variables,
        }

    def run(self, *command: str, is_checked: bool = True) -> subprocess.CompletedProcess:
        """Run a command in the folder. `stdout` of the result also has stderr.

        We do not use a pipe, because it would stay open until background workers end.
        """
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            result = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=LONGEST_S,
            )
            output.seek(0)
            result.stdout = output.read()
        if is_checked:
            assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}"
        return result

    def dvc(self, *arguments: str, is_checked: bool = True) -> subprocess.CompletedProcess:
        """Run DVC."""
        return self.run(sys.executable, "-m", "dvc", *arguments, is_checked=is_checked)

    def start(self, *arguments: str, stdout: object = subprocess.DEVNULL) -> subprocess.Popen:
        """Start Python in the folder, in its own process group. `stdout` also has stderr."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def processes(self, script: str | None = None) -> list[psutil.Process]:
        """Return the processes that run in the folder or below it, or those of stages/SCRIPT.py."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = [word.removeprefix(f"{self.folder}/") for word in process.cmdline()]
                is_asked = script is None or f"stages/{script}.py" in words
                if is_asked and Path(process.cwd()).is_relative_to(self.folder):
                    found.append(process)
        return found

    def commit(self) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "test")

    def copy(self, parent: Path) -> "Clone":
        """Copy the repository for a test that changes it. The raw data is shared."""
        folder = parent / "clone"
        shutil.copytree(self.folder, folder, symlinks=True)
        return Clone(folder, self.data)

    def set_params(self, values: dict[str, object]) -> None:
        """Set dotted keys of params.yaml, which must exist."""
        yaml, path = YAML(), self.folder / "params.yaml"
        tree = yaml.load(path)
        for dotted, value in values.items():
            *parents, key = dotted.split(".")
            section = tree
            for parent in parents:
                section = section[parent]
            assert key in section, f"params.yaml has no {dotted}"
            section[key] = value
        yaml.dump(tree, path)

    def yaml(self, name: str) -> dict:
        """Read dvc.yaml, dvc.lock or params.yaml."""
        return YAML(typ="safe").load(self.folder / name)

    def outs(self) -> dict[str, str]:
        """Return path and md5 of every out from the lock files."""
        locks = ("dvc.lock", "stages/extra/dvc.lock")
        stages = [entry for lock in locks for entry in self.yaml(lock)["stages"].values()]
        return {out["path"]: out["md5"] for entry in stages for out in entry["outs"]}

    def content(self, *names: str) -> dict[str, bytes]:
        """Return path and bytes of files, and of all files in folders, by glob patterns."""
        paths = [
            path
            for name in names
            for path in ([self.folder / name, *(self.folder / name).rglob("*")])
            if path.is_file() and path.suffix != ".pyc"  # a run may have left it, or not
        ]
        assert paths, f"no file is there of {', '.join(names)}"
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def make(parent: Path, data: Path, params: dict[str, object] = SMALL) -> Clone:
    """Commit the files of the working tree that git would track in parent/clone.

    params  dotted keys of params.yaml with new values
    stages/spark is left out: the local pipeline does not need it, and `dvc status` would list it.
    """
    clone = Clone(parent / "clone", data)
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=TOP,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (TOP / name).is_file():  # not one that is deleted, but not yet in git
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, clone.folder / name)
    for old in ("dvc.lock", "stages/extra/dvc.lock", "stages/spark", "metrics"):  # of the real data
        path = clone.folder / old
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    clone.set_params({**params, "data.path": str(data)})
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.commit()
    return clone
