"""What every stage does as a process: whole outputs, one-line errors, exit codes."""

import ast
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness import process, script
from harness.script import InputError, fold_argument, run_script, whole, whole_folder

import pytest

STAGES = Path(script.__file__).parents[1]


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """This Python, in the folder, with the modules of stages/."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(STAGES),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_CORETYPE": process.PROMISED_KERNEL,  # no line about the kernel
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf_8_in_any_locale() -> None:
    """A feature, an item or a folder can have a name of any letters."""
    for path in STAGES.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        texts = [call for call in calls if getattr(call.func, "attr", "").endswith("_text")]
        for call in texts:
            assert "encoding" in {word.arg for word in call.keywords}, f"{path}: {call.lineno}"


def test_whole_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with whole(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
        assert temporary.parent == path.parent  # os.replace needs one file system
    assert path.read_text() == "one"
    assert names(path.parent) == ["a.txt"]


def test_whole_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_whole_takes_a_string(tmp_path: Path) -> None:
    with whole(f"{tmp_path}/a.txt") as temporary:
        temporary.write_text("one")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("kind", [InputError, KeyboardInterrupt, OSError])
def test_whole_leaves_nothing_on_an_exception(tmp_path: Path, kind: type[BaseException]) -> None:
    def fail() -> None:
        with whole(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise kind

    with pytest.raises(kind):
        fail()
    assert names(tmp_path) == []


def test_whole_keeps_the_old_file_on_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with whole(path) as temporary:
            temporary.write_text("half")
            raise InputError("stop")

    with pytest.raises(InputError):
        fail()
    assert (path.read_text(), names(tmp_path)) == ("old", ["a.txt"])


def test_whole_of_nothing_written_is_an_error(tmp_path: Path) -> None:
    def nothing() -> None:
        with whole(tmp_path / "a.txt"):
            pass

    with pytest.raises(FileNotFoundError):
        nothing()
    assert names(tmp_path) == []


def test_a_limit_of_file_size_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """It names the file that could not be written, which the system's error does not."""
    (tmp_path / "x.py").write_text(
        "import resource\n"
        "from harness.script import run_script, whole\n"
        "def main():\n"
        "    with whole('out.txt') as path:\n"
        "        path.write_text('half' * 1000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "run_script(main)\n"
    )
    result = run_python(tmp_path, "x.py")
    assert (result.returncode, result.stderr) == (1, "x: out.txt: File too large\n")
    assert names(tmp_path) == ["x.py"]


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "in the folder of devices"])
def test_what_is_no_file_is_never_replaced(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--out /dev/null` of a user who may do everything would leave no /dev/null."""
    pipe, path = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    if kind == "pipe":
        path = pipe
    elif kind == "link to a pipe":
        path.symlink_to(pipe)
    else:
        path.touch()
        monkeypatch.setattr(script, "DEVICES", tmp_path)
    before = path.lstat()
    with pytest.raises(InputError, match=f"^{path}: is a device or a pipe, which is not replaced"):
        whole(path).__enter__()
    assert path.lstat() == before


def write_folder(path: Path, name: str) -> None:
    with whole_folder(path) as folder:
        (folder / name).write_text(name)


def test_a_folder_is_replaced_with_all_that_was_in_it(tmp_path: Path) -> None:
    """Models of more seeds than there are now would be averaged in."""
    for name in ("old", "new"):
        write_folder(tmp_path / "models", name)
    assert names(tmp_path) == ["models"]
    assert names(tmp_path / "models") == ["new"]


@pytest.mark.parametrize("kind", ["file", "link to nothing", "link to a folder"])
def test_a_folder_replaces_what_bears_its_name(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "models", tmp_path / "other"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(other)
    if kind == "link to a folder":
        other.mkdir()
        (other / "kept").touch()
    write_folder(path, "new")
    assert not path.is_symlink()
    assert names(path) == ["new"]
    assert not other.exists() or names(other) == ["kept"]


def test_a_folder_stays_as_it_was_on_an_exception(tmp_path: Path) -> None:
    write_folder(tmp_path / "models", "old")

    def fail() -> None:
        with whole_folder(tmp_path / "models") as folder:
            (folder / "half").touch()
            raise InputError("stop")

    with pytest.raises(InputError):
        fail()
    assert (names(tmp_path), names(tmp_path / "models")) == (["models"], ["old"])


@pytest.mark.parametrize("writer", [whole, whole_folder])
@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_no_folder_to_write_into_is_one_line(tmp_path: Path, writer: Callable, kind: str) -> None:
    path = tmp_path / "data"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=f"^{path}: a file, or a link to nothing, stands where"):
        writer(path / "out").__enter__()


@pytest.mark.parametrize("writer", [whole, whole_folder])
def test_nothing_takes_its_place_after_a_check_has_failed(
    tmp_path: Path, writer: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise InputError("no")

    def write() -> None:
        with writer(tmp_path / "out") as temporary:
            temporary.mkdir(exist_ok=True) if writer is whole_folder else temporary.touch()

    monkeypatch.setattr(script, "checks", [refuse])
    with pytest.raises(InputError):
        write()
    assert names(tmp_path) == []


def test_whole_removes_what_a_killed_process_left_of_the_same_file(tmp_path: Path) -> None:
    """Also where another process, this one or one elsewhere, has its number by now; but not what a
    process at work here writes.
    """
    idle = (sys.executable, "-c", "input()")
    with (
        subprocess.Popen(idle, stdin=subprocess.PIPE) as here,
        subprocess.Popen(idle, stdin=subprocess.PIPE, cwd="/") as elsewhere,
    ):
        for number in (here.pid, elsewhere.pid, os.getpid(), "x"):
            (tmp_path / f".a.txt.{number}.tmp").touch()
        for name in (f".b.txt.{elsewhere.pid}.tmp", f"a.txt.{elsewhere.pid}.tmp"):
            (tmp_path / name).touch()
        with whole(tmp_path / "a.txt") as temporary:
            temporary.write_text("one")
        others = [f".b.txt.{elsewhere.pid}.tmp", f"a.txt.{elsewhere.pid}.tmp"]
        others += [f".a.txt.{here.pid}.tmp"] if Path("/proc/self/cwd").exists() else []
        assert names(tmp_path) == sorted(["a.txt", *others])
        for process in (here, elsewhere):
            process.communicate(b"\n")


@pytest.fixture
def _as_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/als.py"])
    monkeypatch.setattr(process, "KERNEL", process.PROMISED_KERNEL)


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.usefixtures("_as_stage")
def test_bad_input_is_one_line() -> None:
    with pytest.raises(SystemExit) as stop:
        run_script(raising(InputError("params.yaml: als.factors is 0")))
    assert stop.value.code == "als: params.yaml: als.factors is 0"  # python: to stderr, exit 1


@pytest.mark.usefixtures("_as_stage")
def test_two_findings_are_two_lines() -> None:
    with pytest.raises(SystemExit) as stop:
        run_script(raising(InputError("one\ntwo")))
    assert stop.value.code == "als: one\nals: two"


@pytest.mark.usefixtures("_as_stage")
def test_an_interrupt_is_130(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        run_script(raising(KeyboardInterrupt()))
    assert stop.value.code == 130
    assert capsys.readouterr().err == "als: interrupted; no half-written output is left\n"


@pytest.mark.usefixtures("_as_stage")
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EACCES, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG]
)
def test_what_the_system_refuses_is_one_line(number: int) -> None:
    with pytest.raises(SystemExit) as stop:
        run_script(raising(OSError(number, os.strerror(number), "data/als/test.npz")))
    assert stop.value.code == f"als: data/als/test.npz: {os.strerror(number)}"


@pytest.mark.usefixtures("_as_stage")
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EISDIR, "Is a directory", ".a.9.tmp", None, "a"), "a: Is a directory"),
        (OSError("8 requested and 3 written"), "8 requested and 3 written"),  # numpy's
        (FileNotFoundError("data/x.parquet"), "data/x.parquet: not found"),  # pyarrow's
        (OSError(), "OSError"),
        (MemoryError("Unable to\nallocate"), "not enough memory: Unable to allocate"),
        (MemoryError(), "not enough memory: none is left"),
        (Exception("std::bad_alloc"), "not enough memory: std::bad_alloc"),
        (
            RuntimeError("can't start new thread"),
            "not enough memory, or too many processes: can't start new thread",
        ),
    ],
)
def test_what_libraries_say_of_it_is_one_line(error: Exception, expected: str) -> None:
    with pytest.raises(SystemExit) as stop:
        run_script(raising(error))
    assert stop.value.code == f"als: {expected}"


@pytest.mark.usefixtures("_as_stage")
@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug")])
def test_what_is_no_input_error_is_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        run_script(raising(error))
    assert raised.value is error


@pytest.mark.usefixtures("_as_stage")
def test_a_good_end_is_silent(capsys: pytest.CaptureFixture) -> None:
    assert run_script(lambda: None) is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("_as_stage")
def test_another_kernel_is_one_line(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "KERNEL", "Zen")
    run_script(lambda: None)
    out, err = capsys.readouterr()
    assert err.startswith("als: the BLAS kernel is Zen, not Haswell")
    assert (err.count("\n"), out) == (1, "")  # stdout can be what a program reads


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        ("InputError('data: bad')", 1, "x: data: bad\n"),
        ("KeyboardInterrupt", 130, "x: interrupted; no half-written output is left\n"),
    ],
)
def test_exit_code_of_the_process(tmp_path: Path, error: str, code: int, expected: str) -> None:
    """stderr has the one line and no traceback, and nothing half-written is left."""
    (tmp_path / "x.py").write_text(
        "from harness.script import InputError, run_script, whole\n"
        "def main():\n"
        "    with whole('out.txt') as path:\n"
        "        path.write_text('half')\n"
        f"        raise {error}\n"
        "run_script(main)\n"
    )
    result = run_python(tmp_path, "x.py")
    assert (result.returncode, result.stderr, result.stdout) == (code, expected, "")
    assert names(tmp_path) == ["x.py"]


def test_an_interrupt_that_a_library_swallows_counts(tmp_path: Path) -> None:
    """Or the stage would go on as if nothing had been asked of it."""
    (tmp_path / "x.py").write_text(
        "import os, signal\n"
        "from harness import process\n"
        "from harness.script import run_script, whole\n"
        "def main():\n"
        "    with whole('out.txt') as path:\n"
        "        path.write_text('whole')\n"
        "        try:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        except KeyboardInterrupt:\n"
        "            pass\n"
        "signal.signal(signal.SIGINT, process.end_at_once)\n"  # as in a script of stages/
        "run_script(main)\n"
    )
    result = run_python(tmp_path, "x.py")
    expected = "x: interrupted; no half-written output is left\n"
    assert (result.returncode, result.stderr) == (130, expected)
    assert names(tmp_path) == ["x.py"]


def test_arguments_are_given_to_a_script_that_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/submit.py", "test", "--out", "x.csv"])
    given = []
    run_script(lambda arguments: given.append(arguments))
    assert given == [["test", "--out", "x.csv"]]


def test_fold_argument() -> None:
    assert fold_argument(["label_1"], ["test", "label_1"]) == "label_1"


@pytest.mark.parametrize("arguments", [[], ["tset"], ["test", "label_1"]])
def test_no_such_fold(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/als.py", *arguments])
    with pytest.raises(InputError) as error:
        fold_argument(arguments, ["test", "label_1"])
    assert str(error.value) == (
        "usage: python stages/als.py FOLD, where FOLD is one of test, label_1"
    )
