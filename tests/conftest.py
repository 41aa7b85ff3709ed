"""The clone that the end-to-end tests share. The tests run under the settings that the stages make
before numpy is loaded.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness import process

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


def pytest_report_header() -> str:
    return f"BLAS kernel: {process.KERNEL or 'not pinned'}"


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after `dvc repro` and a commit. To be read only; a test that changes it copies it."""
    data = tmp_path_factory.mktemp("raw") / "Meine Daten für Łódź"
    movielens_like.write(data)
    clone = make(tmp_path_factory.mktemp("repository"), data)
    clone.dvc("repro")
    clone.dvc("repro", "stages/extra/dvc.yaml")
    clone.commit()
    return clone


@pytest.fixture
def copied(clone: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of the clone, for one test to change; nothing runs in it any longer after the test."""
    copy = clone.copy(tmp_path)
    yield copy
    for left in copy.processes():  # such as a worker of the queue
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
