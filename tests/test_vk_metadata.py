"""Metadata of both layouts, where the layouts' own tests do not reach."""

from pathlib import Path

from core.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readers import vk_metadata
from readers.ids import Ids

USERS = {"user_id": [7, 7, 8, 5], "age": [1, 2, 3, 4], "gender": list("cbac"), "geo": [1, 1, 2, 30]}


def read(folder: Path, **changes: object) -> pa.Table:
    path = folder / "users.parquet"
    pq.write_table(pa.table(USERS | changes), path)
    return vk_metadata.read_users(path, Ids(pa.array([5, 6, 7])))


@pytest.mark.parametrize(
    ("values", "levels", "texts"),
    [
        ([10, 9, None, 10], ["9", "10"], ["10", "9", None, "10"]),
        ([10.0, 9.5, np.nan, None], ["9.5", "10"], ["10", "9.5", None, None]),
        (["b", "10", "9", "a b"], ["9", "10", "a b", "b"], ["b", "10", "9", "a b"]),
        (["-1", "nan", "1_0", "2"], ["-1", "2", "1_0", "nan"], ["-1", "nan", "1_0", "2"]),
        ([True, None, False], ["false", "true"], ["true", None, "false"]),
        ([None, None], [], [None, None]),
    ],
)
def test_category(values: list, levels: list[str], texts: list[str | None]) -> None:
    column = pa.chunked_array([values])
    result = vk_metadata.category(column, column)
    assert result.type == pa.dictionary(pa.int32(), pa.string())
    assert result.dictionary.to_pylist() == levels
    assert result.to_pylist() == texts


@pytest.mark.parametrize("age", [[1.0, -np.inf, None, 1], [1.0, 1e39, np.nan, 1]])
def test_infinite_numbers_are_refused_by_name(tmp_path: Path, age: list) -> None:
    """Null and NaN are unknown and not infinite."""
    with pytest.raises(
        InputError, match=r"users.parquet: age is (-inf|1e\+39) in 1 of 4 rows; mus"
    ):
        read(tmp_path, age=age)
