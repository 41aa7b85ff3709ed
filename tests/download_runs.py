"""Runs the stage `download` for tests of the stage and of the fetchers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from core import script

import pytest

import download
from test_params import VALUES

STAGES = Path(download.__file__).parent
EMPTY = {"README.txt": b"Empty: data.path is another folder.\n"}  # data/raw, if not named


def write_params(source: str = "movielens-1m", path: str = "data/raw", **data: object) -> None:
    data = {**VALUES["data"], "source": source, "path": path, **data}
    Path("params.yaml").write_text(json.dumps({"data": data}))


def contents(folder: Path | str) -> dict[str, bytes]:
    """Every file below the folder, hidden ones too."""
    folder = Path(folder)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def run_stage(capsys: pytest.CaptureFixture) -> tuple[int, str]:
    """Exit code and stderr of the stage in this process, for tests that replace parts of it."""
    capsys.readouterr()
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(sys, "argv", ["stages/download.py"])
            script.run_script(download.main)
    except SystemExit as end:
        if not isinstance(end.code, str):
            return end.code, capsys.readouterr().err
        return 1, end.code + "\n"
    return 0, capsys.readouterr().err


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


def no_call(*_: object, **__: object) -> None:
    raise AssertionError("must not be called")


def start(*arguments: str, **env: str) -> subprocess.Popen:
    """Python with these arguments; it can be interrupted, also where these tests cannot (`&`)."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(STAGES), **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
