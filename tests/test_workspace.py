"""What keeps the workspace as it is while experiments change it."""

import subprocess
from pathlib import Path

import pytest

from experiments import workspace


def run(*command: str) -> str:
    return subprocess.run(["git", *command], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("has_edits", [True, False])
@pytest.mark.parametrize("is_detached", [True, False])
def test_a_record_restores_everything(
    has_edits: bool,
    is_detached: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """But files without edits that were edited since, and what git does not track. `dvc checkout`
    fails here, which is said.
    """
    monkeypatch.chdir(tmp_path)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@b")
    paths = [Path(name) for name in ("params.yaml", "staged", "edited", "gone", "later")]
    for path in paths:
        path.write_text("first")
    run("init", "--quiet")
    run("add", "--all")
    run("commit", "--quiet", "--message", "first")
    if is_detached:
        run("checkout", "--quiet", "--detach")
    if has_edits:
        Path("staged").write_text("mine")
        Path("new").write_text("mine")
        run("add", "staged", "new")
        Path("edited").write_text("mine")
        Path("gone").unlink()
    status = ("status", "--porcelain", "--branch")
    before = run(*status)
    workspace.record()
    changed = paths if has_edits else paths[:1]  # DVC touches no other file
    for path in (*changed, Path("metrics/new")):
        path.parent.mkdir(exist_ok=True)
        path.write_text("of a trial")
    run("add", "--all")
    run("checkout", "--quiet", "--detach")
    Path("later").write_text("mine")
    workspace.restore()
    workspace.record()  # and again
    workspace.restore()
    Path("later").write_text("first")
    assert run(*status) == before
    assert [path.read_text() for path in paths if path.exists()] == (
        ["first", "mine", "mine", "first"] if has_edits else ["first"] * 5
    )
    assert "run dvc repro" in capsys.readouterr().out
