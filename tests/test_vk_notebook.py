"""The notebook's five files: what they become, their dirt, and a line for each kind of bad data."""

from pathlib import Path

from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import test_movielens

TRAIN = {
    "user_id": pa.array([7, 5, 7, 5], pa.uint32()),
    "item_id": pa.array([30, 10, 10, 30], pa.uint32()),
    "timespent": pa.array([9, 2, 255, 6], pa.uint8()),
    "like": [True, False, True, False],
    "share": [False, True, True, False],
    "bookmark": [False, False, True, False],
    "place": pa.array([1, 1, 1, 1], pa.uint8()),
}
TEST = {
    "user_id": pa.array([9, 5], pa.uint32()),
    "item_id": pa.array([10, 20], pa.uint32()),
    "timespent": pa.array([8, 0], pa.uint8()),
    "like": [False, False],
    "share": [False, True],
    "bookmark": [False, False],
    "place": pa.array([2, 2], pa.uint8()),
}
USERS = {
    "user_id": pa.array([5, 7, 9], pa.uint32()),
    "age": pa.array([20, 30, 40], pa.uint8()),
    "gender": pa.array([1, 2, 1], pa.uint8()),
    "geo": pa.array([10, 9, 9], pa.uint8()),
    "train_interactions_rank": [3, 2, 1],
}
ITEMS = {
    "item_id": pa.array([20, 30, 10], pa.uint32()),
    "author_id": pa.array([600, 500, 600], pa.uint32()),
    "duration": pa.array([12, 13, 11], pa.uint8()),
    "train_interactions_rank": [3, 2, 1],
}
EMBEDDINGS = {
    "item_id": pa.array([30, 10, 20], pa.uint32()),
    "embedding": pa.array([[3, 3.5], [1, 1.5], [2, 2.5]], pa.list_(pa.float32())),
}
FILES = {"train": TRAIN, "test": TEST, "user_metadata": USERS, "item_metadata": ITEMS}
FILES["item_embeddings"] = EMBEDDINGS


def write(folder: Path, **changes: dict | None) -> Path:
    """The five files, with columns of some replaced (None: without the column)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in FILES.items():
        columns = columns | changes.get(name, {})
        there = {key: values for key, values in columns.items() if values is not None}
        pq.write_table(pa.table(there), folder / f"{name}.parquet")
    return folder


def read(folder: Path, positive: str = "timespent > 5", **changes: object) -> Tables:
    return test_movielens.read(folder, "vk-notebook", positive, **changes)


def line_of(folder: Path, **changes: object) -> str:
    return test_movielens.line_of(folder, "vk-notebook", "timespent > 5", **changes)


def test_interactions(tmp_path: Path) -> None:
    table = read(write(tmp_path)).interactions
    assert table.to_pydict() == {
        "user": [1, 0, 1, 0, 2, 0],
        "item": [2, 0, 0, 2, 0, 1],
        "is_positive": [True, False, True, True, True, False],
        "strength": [1 + 1, 0, 1 + 3, 1, 1, 0],
        "is_test": [False, False, False, False, True, True],
        "like": [True, False, True, False, False, False],
        "share": [False, True, True, False, False, True],
        "bookmark": [False, False, True, False, False, False],
        "timespent": [9, 2, 255, 6, 8, 0],
        "place": [0, 0, 0, 0, 1, 1],  # codes of 1 and 2
    }
    kinds = ["int32"] * 2 + ["bool", "uint8"] + ["bool"] * 4 + ["uint8"] * 2
    assert [str(kind) for kind in table.schema.types] == kinds


def test_items_users_and_embeddings(tmp_path: Path) -> None:
    result = read(write(tmp_path))
    assert result.users.to_pydict() == {
        "user_id": [5, 7, 9],
        "age": [20, 30, 40],
        "gender": ["1", "2", "1"],
        "geo": ["10", "9", "9"],
    }
    category = pa.dictionary(pa.int32(), pa.string())
    assert result.users.schema.types == [pa.uint32(), pa.float32(), category, category]
    assert result.items.to_pydict() == {"item_id": [10, 20, 30], "duration": [11, 12, 13]}
    assert result.item_tags.toarray().tolist() == [[0, 1], [0, 1], [1, 0]]  # authors 500, 600
    assert result.item_embeddings.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5]]


def test_embeddings_in_columns_of_numbers(tmp_path: Path) -> None:
    columns = {"embedding": None, "e_10": [0, 0, 0], "e_0": [3, None, 2], "e_1": [3.5, 9, None]}
    columns |= {f"e_{n}": [n] * 3 for n in range(2, 10)}
    result = read(write(tmp_path, item_embeddings=columns), embedding_width=2).item_embeddings
    assert result.dtype == np.float32
    assert np.isnan(result[:2]).all()  # item 10 has none, item 20 only a part of one
    assert result[2].tolist() == [3, 3.5]
    line = f"data.embedding_width is 12: {tmp_path}/item_embeddings.parquet has 11; 0 takes all"
    assert line_of(tmp_path, embedding_width=12) == line


def test_which_lists_are_the_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Columns with the right name, or else the only lists, or else those of the item metadata."""
    words, numbers = pa.array([["a"], ["b"], ["c"]]), pa.array([[0], [0], [0]])
    renamed = {"embedding": None, "vector": EMBEDDINGS["embedding"], "words": words}
    for columns in ({"words": words, "numbers": numbers}, renamed):
        folder = write(tmp_path, item_embeddings=columns)
        assert read(folder).item_embeddings.shape == (3, 2)
    series = {f"{prefix}{n}": [1.0] * 3 for prefix in "ab" for n in (0, 1)}
    for columns, line in (
        (renamed | {"numbers": numbers}, "each of vector, numbers could be the embedding; keep"),
        ({"embedding": None, **series}, "each of a0, b0 could be the embedding; keep one"),
        ({"embedding": None, "e_0": [1.0] * 3}, "not found or without an embedding"),
    ):
        write(tmp_path, item_embeddings=columns)
        assert f"{folder}/item_embeddings.parquet: {line}" in line_of(folder)
    lists = pa.array([[2, 2.5], [3, 3.5], [1, 1.5]], pa.list_(pa.float64()))
    write(tmp_path, item_metadata={"vector": lists}, item_embeddings={"embedding": None})
    assert read(folder).item_embeddings.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5]]
    assert "no embedding; vector of item_metadata.parquet is used" in capsys.readouterr().out


def test_dirty_metadata(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """No row for user 5 and item 20, rows of others, twice the same, null, NaN."""
    folder = write(
        tmp_path,
        user_metadata={
            "user_id": [1000, 7, 9, 7],
            "age": [1.0, float("nan"), 40.0, 30.0],
            "gender": [None, "m", "f", "f"],
            "geo": [3.0, 10.0, float("nan"), 9.0],
            "train_interactions_rank": None,
        },
        item_metadata={
            "item_id": [30, 10, 2**40],
            "author_id": [500.0, None, 400.0],
            "duration": pa.array([13, None, 1], pa.int64()),
            "train_interactions_rank": None,
        },
        item_embeddings={"item_id": [10, 10, 20], "embedding": [[3, 3.5], [1, 2], [np.inf, 1]]},
    )
    result = read(folder)
    users = result.users.to_pydict()
    assert np.isnan(users["age"][1])
    assert users["age"][::2] == [None, 40]
    assert users["gender"] == [None, "m", "f"]
    assert users["geo"] == [None, "10", None]
    assert result.users["geo"].combine_chunks().dictionary.to_pylist() == ["3", "9", "10"]
    assert result.items["duration"].to_pylist() == [None, None, 13]
    assert result.item_tags.toarray().tolist() == [[0, 0], [0, 0], [0, 1]]  # authors 400, 500
    embeddings = result.item_embeddings
    assert embeddings[0].tolist() == [3, 3.5]  # the first row of item 10
    assert np.isnan(embeddings[1:]).all()
    out = capsys.readouterr().out
    for line in (
        "user_metadata.parquet: no row for 1 of 3 users",
        "user_metadata.parquet: 1 rows repeat an earlier user; only the first row counts",
        "item_embeddings.parquet: no usable embedding for 2 of 3 items",
    ):
        assert f"{tmp_path}/{line}\n" in out


def test_a_folder_of_part_files_is_read_as_the_file(tmp_path: Path) -> None:
    """The folder is like Spark's, with success marks and checksums, and has ids as decimals."""
    expected = read(write(tmp_path / "plain"))
    decimals = {"user_id": pa.array([7, 5, 7, 5]).cast(pa.decimal128(21, 0))}
    folder = write(tmp_path / "parts", train=decimals)
    for path in [*folder.iterdir()]:
        table = pq.read_table(path)
        path.unlink()
        path.mkdir()
        for part in range(2):
            pq.write_table(table.slice(2 * part, 2), path / f"part-0000{part}-x.snappy.parquet")
        (path / "_SUCCESS").touch()
        (path / ".part-00000-x.snappy.parquet.crc").write_bytes(b"crc")
    result = read(folder)
    for table in ("interactions", "items"):
        assert getattr(result, table).equals(getattr(expected, table))
    assert result.users.to_pylist() == expected.users.to_pylist()  # with another type of ids
    assert (result.item_embeddings == expected.item_embeddings).all()
    (folder / "train.parquet/part-00001-x.snappy.parquet").write_bytes(b"PAR1")
    assert line_of(folder).startswith(f"{folder}/train.parquet: cannot be read as a parquet file: ")


def test_timestamps_order_train_and_test(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The test file stays the last window, whatever its times."""
    time = 978_300_000 + np.array([3, 1, 2, 0])
    folder = write(tmp_path, train={"timestamp": time}, test={"timestamp": (time[:2] + 1) * 1000})
    table = read(folder).interactions
    assert table["timestamp"].to_pylist() == [*sorted(time), *sorted(time[:2] + 1)]
    assert table["user"].to_pylist() == [0, 0, 1, 1, 0, 2]
    assert table["is_test"].to_pylist() == [False] * 4 + [True] * 2
    out = capsys.readouterr().out
    assert f"{folder}/train.parquet: sorted by timestamp; 2 of 4 rows moved\n" in out
    assert f"{folder}/test.parquet: timestamp appears to be in ms; converted" in out
    assert (
        f"{folder}/test.parquet: 1 of 2 rows are earlier than the last row of train.parquet" in out
    )


@pytest.mark.parametrize(
    ("name", "column", "values", "part"),
    [
        ("test", "timespent", None, "no column timespent; "),
        ("user_metadata", "geo", None, "no column geo; "),
        ("item_embeddings", "item_id", None, "no column item_id; "),
        ("train", "timespent", list("abcd"), "timespent is string: only columns of numbers"),
        ("user_metadata", "user_id", ["5", "7", "9"], "in the interactions it is uint32"),
        ("user_metadata", "age", ["20", "30", "40"], "age is string; must be numbers"),
        ("user_metadata", "geo", [[1], [2], [3]], "must be numbers, strings or true/false"),
        ("user_metadata", "age", [1.0, -np.inf, None], "row 2: age is -inf; must be a finite n"),
        ("item_metadata", "duration", [1.0, 1e39, np.nan], "row 2: duration is 1e+39; must be a "),
        ("item_embeddings", "embedding", [[], [1.0], [2.0]], "has lists of 0, 1 numbers; must be"),
        ("train", None, None, "no rows; interactions are needed"),
        ("test", None, None, "no rows; interactions are needed"),
    ],
)
def test_wrong_values(
    tmp_path: Path, name: str, column: str | None, values: list | None, part: str
) -> None:
    """Without a column, the file has no rows."""
    write(tmp_path, **{name: {column: values} if column else {}})
    if column is None:
        pq.write_table(pa.table(FILES[name]).slice(0, 0), tmp_path / f"{name}.parquet")
    line = line_of(tmp_path)
    assert line.startswith(f"{tmp_path / name}.parquet: ")
    assert part in line
