"""Revisions: names that name none, and files that are not what they should be."""

import subprocess
from pathlib import Path

from harness.script import InputError

import pyarrow as pa
import pyarrow.parquet as pq
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


@pytest.mark.parametrize(
    "name", ["", "HEAD:", "HEAD:metrics", ":/x", "HEAD^{tree}", "HEAD\n", "\udcff", 5000 * "a"]
)
def test_what_names_no_commit_is_one_line(name: str) -> None:
    """Git would take some for a file or a folder, and others for an error of its own."""
    with pytest.raises(InputError) as error:
        Revision(name)
    assert ": no branch, commit or experiment of this name; see git branch" in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("content", ["", "[]", "3", "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n"])
def test_a_file_that_is_no_json_is_one_line(content: str) -> None:
    path = Path("metrics.json")
    path.write_text('{"a": 1}')
    assert Revision(WORKSPACE).json(path.name) == {"a": 1}
    path.write_text(content)
    with pytest.raises(InputError, match="^workspace: metrics.json: (not|must be a) JSON"):
        Revision(WORKSPACE).json(path.name)


def test_a_file_that_is_no_parquet_is_one_line() -> None:
    path = Path("table.parquet")
    pq.write_table(pa.table({"a": [1]}), path)
    assert Revision(WORKSPACE).table(path.name, ["a"]).to_pydict() == {"a": [1]}
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match="^workspace: table.parquet: .*; run dvc repro there$"):
        Revision(WORKSPACE).table(path.name, ["a"])
