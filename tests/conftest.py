"""The clone that the end-to-end tests share."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import movielens_like
from clone import Clone, make


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
    for process in copy.processes():  # such as a worker of the queue
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
