"""What keeps the workspace as it is while experiments change it."""

import subprocess
from pathlib import Path

import pytest

from experiments import workspace


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of git with parameters, a lock file and an out; `dvc checkout` fails in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workspace, "dvc", lambda *_: ["false"])
    files = {"params.yaml": "seed: 1\n", "dvc.lock": "of seed 1\n", "data/als/test.npz": "factors"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "first")):
        subprocess.run(["git", *command], check=True)
    return tmp_path


def run_a_trial(repository: Path) -> None:
    (repository / "params.yaml").write_text("seed: 2\n")
    (repository / "dvc.lock").write_text("of seed 2\n")


def test_outs_that_were_never_here_are_not_missed(
    repository: Path, capsys: pytest.CaptureFixture
) -> None:
    """dvc.lock of a fresh clone names outs that are nowhere."""
    workspace.put_aside()
    run_a_trial(repository)
    workspace.put_back()
    assert (repository / "params.yaml").read_text() == "seed: 1\n"
    assert (repository / "dvc.lock").read_text() == "of seed 1\n"
    assert capsys.readouterr().out == ""


def test_outs_that_were_here_are_missed(repository: Path, capsys: pytest.CaptureFixture) -> None:
    workspace.put_aside()
    run_a_trial(repository)
    (repository / "data/als/test.npz").unlink()
    workspace.put_back()
    said = capsys.readouterr().out
    assert "1 files of data/ could not be restored (data/als/test.npz among them)" in said
