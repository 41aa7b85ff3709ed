"""Fixtures of the shared clone, and the distribution of tests over workers.

Tests run with the settings that the stages make before numpy is loaded.
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
    """Use all cores for a folder or all tests. A single file starts faster without workers."""
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
    """Order tests so that workers rarely wait for each other.

    One test builds the shared clone first, while other workers run tests that do not need it. Long
    tests follow. One test starts the run on Spark early; other tests that need it come last.
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
    """Return a function that makes a shared folder: the first worker fills it, the others wait."""
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
    """Return this worker's clone after `dvc repro` and a commit. Tests must not change it."""
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
    """Return a copy of the clone for one test to change. Its processes end with the test."""
    copy = clone.copy(tmp_path)
    yield copy
    for left in copy.processes():  # such as a worker of the queue
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
