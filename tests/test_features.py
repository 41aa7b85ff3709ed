"""Which lists can train a ranker, and their labels."""

from pathlib import Path

from core import candidate_lists
from core.candidate_lists import Candidates
from core.history import Target

import numpy as np
import pyarrow.parquet as pq
import pytest

from families.labelled import training_lists

# user, item, the rank that ALS gives it: users 1, 2 and 6 are warm, 4 and 5 cold
ROWS = [(1, 7, 1), (1, 8, 2), (2, 7, 1), (4, 7, 0), (4, 9, 0), (5, 8, 0), (6, 9, 1), (6, 7, 2)]
RELEVANT = [(1, 8, 3), (4, 9, 1), (5, 7, 2), (6, 9, 1), (6, 8, 1)]  # user, item, strength


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Return the target window. The candidates are in their file, in two row groups."""
    monkeypatch.setattr(candidate_lists, "FOLDER", tmp_path)
    none, no_rank = np.zeros(0, np.int32), np.zeros(0, np.int16)
    empty = Candidates(none, none, {"als": no_rank}, {"als": np.zeros(0, np.float32)})
    with pq.ParquetWriter(tmp_path / "label_1.parquet", empty.table().schema) as file:
        ids = np.array(ROWS, np.int32).T
        score = np.zeros(len(ROWS), np.float32)
        lists = Candidates(ids[0], ids[1], {"als": ids[2].astype(np.int16)}, {"als": score})
        for part in (slice(3), slice(3, None)):
            candidate_lists.append(file, lists.take(part))
    user, item, strength = np.array(RELEVANT).T
    return Target(np.unique(user), user, item, strength.astype(np.uint8))


def test_warm_lists_with_a_relevant_item(target: Target) -> None:
    lists, label = training_lists("label_1", target, max_users=0, seed=1)
    columns = (lists.user.tolist(), lists.item.tolist(), label.tolist())
    expected = [(1, 7, 0), (1, 8, 3), (6, 9, 1), (6, 7, 0)]
    assert (list(zip(*columns, strict=True)), label.dtype) == (expected, np.uint8)


def test_at_most_so_many_users_drawn_by_seed(target: Target) -> None:
    drawn = []
    for seed in range(20):
        lists, label = training_lists("label_1", target, max_users=1, seed=seed)
        drawn.append(lists.user.tolist())
        assert len(label) == len(lists.user)
    assert {tuple(users) for users in drawn} == {(1, 1), (6, 6)}
