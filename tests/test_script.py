"""What every script does: whole outputs, one-line errors, exit codes."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from core import process, script
from core.script import InputError, run_script, whole, whole_folder

import pytest

STAGES = Path(script.__file__).parents[1]
INTERRUPTED = "interrupted; no half-written output is left\n"
WRITERS = pytest.mark.parametrize("writer", [whole, whole_folder])


def run_python(folder: Path, code: str) -> subprocess.CompletedProcess:
    """A script x.py in the folder that calls `main`, as the code defines it."""
    head = "import os, resource, signal\nfrom core import process\n"
    head += "from core.script import InputError, run_script, whole\n"
    (folder / "x.py").write_text(f"{head}{code}\nrun_script(main)\n")
    settings = {"PYTHONPATH": str(STAGES), "OPENBLAS_CORETYPE": process.PROMISED_KERNEL}
    return subprocess.run(
        [sys.executable, "-B", "x.py"],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(writer: Callable, path: Path, name: str, error: BaseException | None = None) -> None:
    """A file, or a folder with a file of this name; both say the name. Then the error, if any."""
    with writer(path) as temporary:
        assert temporary.parent == path.parent  # os.replace needs one file system
        (temporary / name if writer is whole_folder else temporary).write_text(name)
        if error is not None:
            raise error


def read(path: Path) -> str:
    """What write() has written."""
    return "".join(names(path)) if path.is_dir() else path.read_text()


@WRITERS
def test_an_output_appears_at_the_end_and_replaces_an_earlier_one(
    tmp_path: Path, writer: Callable
) -> None:
    """A folder with all that was in it: models of more seeds than there are now do not stay."""
    path = tmp_path / "new" / "out"
    for name, before in (("old", None), ("new", "old")):
        with writer(str(path)) as temporary:
            (temporary / name if writer is whole_folder else temporary).write_text(name)
            assert (read(path) if path.exists() else None) == before
        assert read(path) == name
        assert names(path.parent) == ["out"]


@WRITERS
@pytest.mark.parametrize("kind", [InputError, KeyboardInterrupt, OSError])
def test_an_exception_leaves_nothing_and_keeps_the_old_output(
    tmp_path: Path, writer: Callable, kind: type[BaseException]
) -> None:
    with pytest.raises(kind):
        write(writer, tmp_path / "out", "half", kind())
    assert names(tmp_path) == []
    write(writer, tmp_path / "out", "old")
    with pytest.raises(kind):
        write(writer, tmp_path / "out", "half", kind())
    assert (names(tmp_path), read(tmp_path / "out")) == (["out"], "old")


@WRITERS
def test_what_a_killed_process_left_is_removed(tmp_path: Path, writer: Callable) -> None:
    """This holds only for the same output."""
    (tmp_path / ".out.old.tmp").touch()
    (tmp_path / ".out.new.tmp").mkdir()
    (tmp_path / ".other.new.tmp").touch()
    write(writer, tmp_path / "out", "new")
    assert names(tmp_path) == [".other.new.tmp", "out"]


@pytest.mark.parametrize(
    ("line", "code", "expected"),
    [
        ("raise InputError('data: bad')", 1, "x: data: bad\n"),
        ("raise InputError('one\\ntwo')", 1, "x: one\nx: two\n"),
        ("raise KeyboardInterrupt", 130, f"x: {INTERRUPTED}"),
        ("resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))", 1, "x: out: File too large\n"),
        ("open('none')", 1, "x: none: No such file or directory\n"),
    ],
)
def test_what_users_can_mend_is_one_line(
    tmp_path: Path, line: str, code: int, expected: str
) -> None:
    """The full file is named, which the system's error does not do. Nothing half-written stays."""
    main = "def main():\n    with whole('out') as path:\n"
    result = run_python(tmp_path, f"{main}        {line}\n        path.write_text('half' * 1000)")
    assert (result.returncode, result.stderr, result.stdout) == (code, expected, "")
    assert names(tmp_path) == ["x.py"]


def end_of(error: Exception, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return how run_script() ends for an error in als.py."""

    def main() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["stages/als.py"])
    with pytest.raises(SystemExit) as stop:
        run_script(main)
    return stop.value.code


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EISDIR, "Is a directory", ".a.new.tmp", None, "a"), "a: Is a directory"),
        (OSError("8 requested and 3 written"), "OSError: 8 requested and 3 written"),  # numpy
        (FileNotFoundError("data/x.parquet"), "FileNotFoundError: data/x.parquet"),  # pyarrow
        (Exception("std::bad_alloc"), "Exception: std::bad_alloc"),  # LightGBM
    ],
)
def test_what_libraries_say_of_the_system_is_one_line(
    error: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert end_of(error, monkeypatch) == f"als: {expected}"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug")])
def test_a_bug_keeps_its_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(type(error)) as raised:
        end_of(error, monkeypatch)
    assert raised.value is error
