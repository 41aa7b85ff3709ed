"""Revisions: names that name none, and files that are not what they should be."""

import subprocess
from pathlib import Path

from core.script import InputError

import pytest
from dvc.repo import Repo

from experiments.revision import WORKSPACE, Revision


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    who = [f"-c user.{name}=test" for name in ("name", "email")]
    for command in ("init --quiet", "commit --quiet --allow-empty --message test"):
        subprocess.run(["git", *" ".join(who).split(), *command.split()], check=True)
    Repo.init().close()


@pytest.mark.parametrize("name", ["", "HEAD:metrics", "HEAD^{tree}", "HEAD\n", 5000 * "a"])
def test_what_names_no_commit_is_one_line(name: str) -> None:
    """Git would take some for a folder, and others for an error of its own."""
    with pytest.raises(InputError) as error:
        Revision(name)
    assert ": no branch, commit or experiment of this name; see git branch" in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_a_file_that_is_no_yaml_is_one_line() -> None:
    """Such as after a merge with conflicts."""
    path = Path("params.yaml")
    assert Revision(WORKSPACE).tree(path.name) == {}
    path.write_text("a: 1\n")
    assert Revision(WORKSPACE).tree(path.name) == {"a": 1}
    path.write_text("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n")
    with pytest.raises(InputError, match="^workspace: params.yaml: not YAML: "):
        Revision(WORKSPACE).tree(path.name)
