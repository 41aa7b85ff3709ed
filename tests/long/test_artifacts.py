"""Another project gets the models by name, as metrics/README.md explains."""

import shutil
from pathlib import Path

import pytest

from clone import Clone

NAMES = {  # artifact -> where its files are in the clone
    "als": "data/als/test.npz",
    "ranker": "data/ranker/test",
    "stages/everyone:als": "data/everyone/als.npz",
    "stages/everyone:ranker": "data/everyone/ranker",
}


@pytest.fixture(scope="module")
def pushed(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with tags, without data, of a repository that has pushed to a folder."""
    parent = tmp_path_factory.mktemp("artifacts")
    one = clone.copy(parent / "one")
    one.dvc("remote", "add", "--default", "store", str(parent / "store"))
    shutil.copytree(one.folder / "data/everyone", one.folder / "stages/everyone/models")
    one.dvc("add", "stages/everyone/models")
    one.commit()
    one.dvc("push")
    for name in NAMES:
        tag = f"{name.replace(':', '=')}@v1.0.0"
        one.run("git", "tag", "--annotate", tag, "--message", "a model")
    one.run("git", "clone", "--quiet", ".", str(parent / "two/clone"))
    return Clone(parent / "two/clone", clone.data)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_comes_by_its_name(name: str, pushed: Clone, clone: Clone, tmp_path: Path) -> None:
    out = tmp_path / "model"
    pushed.dvc("artifacts", "get", ".", name, "--out", str(out))
    found = [path.read_bytes() for path in sorted([out, *out.rglob("*")]) if path.is_file()]
    assert found == [of for _, of in sorted(clone.content(NAMES[name]).items())]
