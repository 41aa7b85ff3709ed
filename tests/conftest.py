"""The clone that the end-to-end tests share, and how workers share the tests. The tests run under
the settings that the stages make before numpy is loaded.
"""

import contextlib
import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from core import process

import psutil
import pytest

import movielens_like
from clone import Clone, make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-outs",
        action="store_true",
        help="write tests/outs.json anew, after a change that is meant to change results",
    )


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell has what it runs in the background ignore interrupts, and that is inherited; the tests
    # interrupt what they start
    signal.signal(signal.SIGINT, signal.default_int_handler)

MOST_WORKERS = 8  # each with its copies of the clone in memory
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
BUILT_ONCE = {"clone", "tried"}  # fixtures that take long, and are shared by the workers
COPIES = {"copied", "tried_copy"}  # of tests that run something in a copy of the clone


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A folder of tests, or all of them, takes every core this process may use. A file or a test
    starts sooner without workers; `-n 2` gives them to it.
    """
    options = config.option
    is_whole = all(Path(argument).is_dir() for argument in config.args)
    is_open = getattr(options, "numprocesses", 0) is None  # pytest-xdist is there, without -n
    if IS_WORKER or not is_whole or not is_open or options.usepdb:
        return
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if n_cores > 1:
        options.numprocesses = min(n_cores, MOST_WORKERS)
        options.maxschedchunk = 1  # in the order below


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First a test that builds what is shared and, on the other workers, those that do not need it;
    then the long ones. One test begins the run on Spark early; the others that need it come last.
    """
    if not IS_WORKER:
        return
    builder = max(items, key=lambda item: len(BUILT_ONCE & {*item.fixturenames}), default=None)
    on_spark = [item for item in items if "run" in item.fixturenames]
    items.sort(
        key=lambda item: (
            item is not builder,
            "clone" in item.fixturenames,
            item in on_spark[1:],
            item not in on_spark,
            not COPIES & {*item.fixturenames},
        )
    )


def pytest_report_header() -> str:
    return f"BLAS kernel: {process.KERNEL or 'not pinned'}"


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable], Path]:
    """A function that returns a folder of this name. The worker that asks for it first fills it, by
    a function that is given the folder; all others wait for that.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if IS_WORKER else own

    def filled(name: str, fill: Callable[[Path], None]) -> Path:
        folder, mark = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process
            if not mark.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                mark.touch()
        return folder

    return filled


@pytest.fixture(scope="session")
def clone(once: Callable[[str, Callable], Path], tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after `dvc repro` and a commit, this worker's own copy. To be read only; a test that
    changes it copies it.
    """
    data = "Meine Daten für Łódź"

    def fill(folder: Path) -> None:
        movielens_like.write(folder / data)
        clone = make(folder, folder / data)
        clone.dvc("repro")
        shown = clone.dvc("repro", "stages/extra/dvc.yaml", "stages/everyone/dvc.yaml").stdout
        assert "without family" in shown  # the table of the ablation
        clone.commit()

    folder = once("repository", fill)
    return Clone(folder / "clone", folder / data).copy(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def copied(clone: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of the clone, for one test to change; nothing runs in it any longer after the test."""
    copy = clone.copy(tmp_path)
    yield copy
    for left in copy.processes():  # such as a worker of the queue
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
