"""The clone that the end-to-end tests share."""

from pathlib import Path

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
    clone.commit()
    return clone


@pytest.fixture
def copied(clone: Clone, tmp_path: Path) -> Clone:
    """A copy of the clone, for one test to change."""
    return clone.copy(tmp_path)
