"""Every output has the same bytes in any environment and folder."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from clone import Clone

N_STAGES = 11


def in_a_worktree(clone: Clone, folder: Path) -> Clone:
    """Return a git worktree that shares the cache of its repository."""
    main = clone.copy(folder)
    main.run("git", "worktree", "add", "--quiet", "--detach", str(folder / "tree"))
    tree = replace(clone, folder=folder / "tree")
    tree.dvc("config", "--local", "cache.dir", str(main.folder / ".dvc/cache"))
    tree.dvc("checkout")
    return tree


def in_a_subfolder(clone: Clone, folder: Path) -> Clone:
    """Return a subfolder of another repository, both with difficult names."""
    outer = replace(clone, folder=folder / "Другой  repo; $HOME & 'co'")
    inner = replace(clone, folder=outer.folder / "nested" / "Łódź — 推荐 (1)")
    for name in clone.run("git", "ls-files", "-z").stdout.split("\0")[:-1]:
        (inner.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(clone.folder / name, inner.folder / name)
    (outer.folder / "readme.txt").write_text("of the other repository\n")
    outer.run("git", "init", "--quiet", "--initial-branch=main")
    outer.commit()
    return inner


@dataclass(frozen=True)
class Setting:
    """Differences of a run from the run of the shared clone, which uses one thread."""

    place: Callable[[Clone, Path], Clone]
    threads: int
    umask: str = "022"
    variables: dict[str, str] = field(default_factory=dict)


SETTINGS = {
    "worktree": Setting(
        in_a_worktree,
        threads=8,
        variables={
            "PYTHONOPTIMIZE": "1",
            "PYTHONHASHSEED": "0",
            "LC_ALL": "C",
            "TZ": "Pacific/Kiritimati",  # UTC+14
        },
    ),
    "subfolder": Setting(
        in_a_subfolder,
        threads=2,
        umask="077",
        variables={
            "PYTHONHASHSEED": "4294967295",
            "LC_ALL": "tr_TR.UTF-8",
            "LANG": "tr_TR.UTF-8",
            "TZ": "America/St_Johns",  # UTC-3:30
        },
    ),
}


def results(clone: Clone) -> dict[str, bytes]:
    """Return all outputs of the stages, and dvc.lock, which has their hashes."""
    outs = [out["path"] for of in clone.yaml("dvc.lock")["stages"].values() for out in of["outs"]]
    return clone.content("dvc.lock", *outs)


def results_of(setting: Setting, clone: Clone, folder: Path) -> dict[str, bytes]:
    """Run all stages and return their results."""
    folder.mkdir()
    one = replace(setting.place(clone, folder), variables=setting.variables)
    one.set_params({"threads": setting.threads})
    dvc = [sys.executable, "-m", "dvc", "repro", "--force"]
    output = one.run("sh", "-c", f'umask {setting.umask}; exec "$@"', "sh", *dvc).stdout
    assert output.count("\nRunning stage ") + output.startswith("Running stage ") == N_STAGES
    return results(one)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_bytes(name: str, clone: Clone, tmp_path: Path) -> None:
    found, expected = results_of(SETTINGS[name], clone, tmp_path / name), results(clone)
    assert [path for path in found | expected if found.get(path) != expected.get(path)] == []
