"""Metadata of both layouts, where the layouts' own tests do not reach."""

import re
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readers import parquet, vk_metadata
from readers.ids import Ids


def chunked(values: list, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


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
    result = vk_metadata.category(chunked(values), chunked(values))
    assert result.type == pa.dictionary(pa.int32(), pa.string())
    assert result.dictionary.to_pylist() == levels
    assert result.to_pylist() == texts


def test_levels_are_those_of_the_whole_file() -> None:
    result = vk_metadata.category(chunked(["b"]), pa.chunked_array([["c", "b"], ["a", "b"]]))
    assert result.dictionary.to_pylist() == ["a", "b", "c"]
    assert result.indices.to_pylist() == [1]


def test_author_tags() -> None:
    tags = vk_metadata.author_tags(chunked(["b", None, "b", "a"]), chunked(["a", "c", "b", "a"]))
    assert tags.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert tags.dtype == np.float32
    floats = chunked([7.0, np.nan, None])
    assert vk_metadata.author_tags(floats, floats).toarray().tolist() == [[1], [0], [0]]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)


@pytest.mark.usefixtures("small_batches")
def test_metadata_in_batches(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The first of several rows counts, within a batch and over batches."""
    path = tmp_path / "users.parquet"
    users = {
        "user_id": [7, 7, 8, 5, 5, 7],
        "age": [1, 2, 3, 4, 5, 6],
        "gender": pa.array(["c", "b", "a", "c", "b", "d"]).dictionary_encode(),
        "geo": [1, 1, 2, 3, 3, 30],
    }
    pq.write_table(pa.table(users), path)
    result = vk_metadata.read_users(path, Ids(pa.array([5, 6, 7])))
    assert result["age"].to_pylist() == [4, None, 1]
    assert result["gender"].to_pylist() == ["c", None, "c"]
    assert result["gender"].combine_chunks().dictionary.to_pylist() == ["a", "b", "c", "d"]
    assert result["geo"].combine_chunks().dictionary.to_pylist() == ["1", "2", "3", "30"]
    out = capsys.readouterr().out
    assert f"{path}: no row for 1 of 3 users\n" in out
    assert f"{path}: 1 rows of users without interactions, left out\n" in out
    assert f"{path}: 3 more rows of the same user, left out\n" in out


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", [1.0, -np.inf, None]),
        ("age", [1.0, 1e39, np.nan]),
        ("age", pa.array(np.array([1, np.inf, 2], dtype=np.float16))),
        ("gender", [0.0, np.inf, 1.0]),  # a category
        ("geo", pa.array([0.0, np.inf, 0.0]).dictionary_encode()),
    ],
)
def test_infinite_numbers_are_refused_by_name(
    tmp_path: Path, column: str, values: list | pa.Array
) -> None:
    """What is not known, null or NaN, is not infinite."""
    path = tmp_path / "users.parquet"
    users = {"user_id": [5, 6, 7], "age": [1, 2, 3], "gender": [1] * 3, "geo": [1] * 3}
    pq.write_table(pa.table({**users, column: values}), path)
    with pytest.raises(InputError) as error:
        vk_metadata.read_users(path, Ids(pa.array([5])))
    assert re.fullmatch(
        rf"{path}: {column} is (-?inf|1e\+39) in 1 of 3 rows read; must be a finite number, or null"
        " where it is not known",
        str(error.value),
    )


@pytest.mark.usefixtures("small_batches")
def test_null_ids_of_metadata_are_counted_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    users = {"user_id": [None, 7, None, 5, None], "age": [1] * 5, "gender": [1] * 5, "geo": [1] * 5}
    pq.write_table(pa.table(users), path)
    with pytest.raises(InputError, match="user_id is null in 3 of 5 rows; must be an id"):
        vk_metadata.read_users(path, Ids(pa.array([5, 7])))
