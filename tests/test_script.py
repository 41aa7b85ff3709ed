"""What every script does: whole outputs, one-line errors, exit codes."""

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

from core import process, script
from core.script import InputError, whole, whole_folder

import pytest

from test_process import STAGES, run

INTERRUPTED = "interrupted; no half-written output is left\n"
WRITERS = pytest.mark.parametrize("writer", [whole, whole_folder])


def run_python(folder: Path, code: str) -> subprocess.CompletedProcess:
    """A script x.py in the folder that calls `main`, as the code defines it."""
    head = "import os, resource, signal\nfrom core import process\n"
    head += "from core.script import InputError, run_script, whole\n"
    (folder / "x.py").write_text(f"{head}{code}\nrun_script(main)\n")
    settings = {"PYTHONPATH": str(STAGES), "OPENBLAS_CORETYPE": process.PROMISED_KERNEL}
    return run("x.py", folder=folder, **settings)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(writer: Callable, path: Path, name: str, error: BaseException | None = None) -> None:
    """A file, or a folder with a file of this name; both say the name. Then the error, if any."""
    before = read(path)
    with writer(str(path)) as temporary:
        assert temporary.parent == path.parent  # os.replace needs one file system
        (temporary / name if writer is whole_folder else temporary).write_text(name)
        assert read(path) == before
        if error is not None:
            raise error


def read(path: Path) -> str | None:
    """What write() has written."""
    if path.exists():
        return "".join(names(path)) if path.is_dir() else path.read_text()
    return None


@WRITERS
def test_an_output_appears_at_the_end_and_replaces_an_earlier_one(
    tmp_path: Path, writer: Callable
) -> None:
    """A folder with all that was in it: models of more seeds than there are now do not stay. What a
    killed process left of the same output is removed.
    """
    path = tmp_path / "new" / "out"
    write(writer, path, "old")
    for left in (".out.old.tmp", ".other.new.tmp"):
        (path.parent / left).touch()
    (path.parent / ".out.new.tmp").mkdir()
    write(writer, path, "new")
    assert read(path) == "new"
    assert names(path.parent) == [".other.new.tmp", "out"]


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


@pytest.mark.parametrize(
    ("line", "code", "expected"),
    [
        ("raise InputError('data: bad')", 1, "x: data: bad\n"),
        ("raise InputError('one\\ntwo')", 1, "x: one\nx: two\n"),
        ("raise KeyboardInterrupt", 130, f"x: {INTERRUPTED}"),
        ("resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))", 1, "x: out: File too large\n"),
        ("open('none')", 1, "x: none: No such file or directory\n"),
        ("raise KeyError('a bug')", 1, "KeyError: 'a bug'\n"),
    ],
)
def test_what_users_can_mend_is_one_line(
    tmp_path: Path, line: str, code: int, expected: str
) -> None:
    """The full file is named, which the system's error does not do. Nothing half-written stays. A
    bug keeps its traceback.
    """
    main = "def main():\n    with whole('out') as path:\n"
    result = run_python(tmp_path, f"{main}        {line}\n        path.write_text('half' * 1000)")
    head, line, rest = result.stderr.partition(expected)
    assert (result.returncode, line, rest, result.stdout) == (code, expected, "", "")
    assert head.startswith("Traceback") if "bug" in expected else head == ""
    assert names(tmp_path) == ["x.py"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EISDIR, "Is a directory", ".a.new.tmp", None, "a"), "a: Is a directory"),
        (OSError("8 requested and 3 written"), "OSError: 8 requested and 3 written"),  # numpy
        (FileNotFoundError("data/x.parquet"), "FileNotFoundError: data/x.parquet"),  # pyarrow
        (Exception("std::bad_alloc"), "Exception: std::bad_alloc"),  # LightGBM
    ],
)
def test_what_libraries_say_of_the_system_is_one_line(error: Exception, expected: str) -> None:
    assert script.message_of(error) == expected
