"""Every output has the same bytes in any environment and folder."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clone import Clone


def results(clone: Clone) -> dict[str, bytes]:
    """Return all outputs of the stages, and dvc.lock, which has their hashes."""
    outs = [out["path"] for of in clone.yaml("dvc.lock")["stages"].values() for out in of["outs"]]
    return clone.content("dvc.lock", *outs)


def in_a_subfolder(clone: Clone, folder: Path) -> Clone:
    """Return a subfolder of another repository, both with difficult names."""
    outer = replace(clone, folder=folder / "Другой  repo; $HOME & 'co'")
    inner = replace(clone, folder=outer.folder / "nested" / "Łódź — 推荐 (1)")
    for name in clone.run("git", "ls-files", "-z").stdout.split("\0")[:-1]:
        (inner.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(clone.folder / name, inner.folder / name)
    outer.run("git", "init", "--quiet", "--initial-branch=main")
    outer.commit()
    return inner


SETTINGS = {  # place, threads (the shared clone uses one), umask, and variables of the environment
    "copy": (Clone.copy, 8, "022", {"PYTHONOPTIMIZE": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C"}),
    "subfolder": (
        in_a_subfolder,
        2,
        "077",
        {"PYTHONHASHSEED": "7", "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"},  # UTC+14
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_bytes(name: str, clone: Clone, tmp_path: Path) -> None:
    place, threads, umask, variables = SETTINGS[name]
    one = replace(place(clone, tmp_path), variables=variables)
    one.set_params({"threads": threads})
    dvc = [sys.executable, "-m", "dvc", "repro", "--force"]
    output = one.run("sh", "-c", f'umask {umask}; exec "$@"', "sh", *dvc).stdout
    assert output.count("Running stage ") == len(one.yaml("dvc.yaml")["stages"])
    found, expected = results(one), results(clone)
    assert [path for path in found | expected if found.get(path) != expected.get(path)] == []
