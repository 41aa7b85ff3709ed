"""The log of both layouts, where the layouts' own tests do not reach."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readers import parquet, vk_log
from readers.positive_rule import Rule


def test_strength_is_at_most_4() -> None:
    feedback = pa.table(
        {
            "like": [True, True, False, None],
            "share": pa.array([2, 1, 0, None], pa.int8()),
            "bookmark": [1.0, 1.0, 0.0, np.nan],
            "dislike": [True, True, True, True],
        }
    )
    is_positive = np.array([True, False, True, True])
    result = vk_log.strength(is_positive, feedback)
    assert result.tolist() == [1 + 3, 0, 1, 1]
    assert result.dtype == np.uint8
    assert vk_log.strength(is_positive, feedback.select([])).tolist() == [1, 0, 1, 1]


def test_a_log_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    device = pa.array(["x", "y", "z", "x", "y"]).dictionary_encode()
    first = {"user_id": device, "item_id": [3, 1, 2, 3, 3], "rating": [5, 1, 1, 5, 1]}
    second = {"user_id": ["y", "w"], "item_id": [4, 1], "rating": [1, 5]}
    paths = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for path, columns in zip(paths, (first, second), strict=True):
        pq.write_table(pa.table(columns), path)
    log = vk_log.read_log(paths, Rule.parse("rating > 4"))
    assert log.users.values.to_pylist() == ["w", "x", "y", "z"]
    assert log.items.values.to_pylist() == [1, 2, 3, 4]
    assert log.columns["user"].tolist() == [1, 2, 3, 1, 2, 2, 0]
    assert log.columns["item"].tolist() == [2, 0, 1, 2, 2, 3, 0]
    assert log.columns["is_positive"].tolist() == [True, False, False, True, False, False, True]
    assert log.n_rows == [5, 2]
