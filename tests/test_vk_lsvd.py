"""VK-LSVD's public layout: what it becomes, its dirt, and a line for each kind of bad data."""

import json
from pathlib import Path

from core.script import InputError
from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readers import vk_lsvd
from readers.params import ReaderParams
from test_params import VALUES

WEEKS = {  # user_id, item_id, timespent
    "train/week_03": [(7, 30, 9), (5, 10, 2)],
    "train/week_04": [(7, 10, 255)],
    "validation/week_05": [(5, 30, 6)],
    "test/week_06": [(9, 20, 8), (5, 20, 0)],
}
USERS = {
    "user_id": pa.array([9, 7, 5, 1], pa.uint32()),
    "age": pa.array([40, 30, 20, 70], pa.uint8()),
    "gender": pa.array([1, 2, 1, 3], pa.uint8()),
    "geo": pa.array([10, 9, 9, 79], pa.uint8()),
    "train_interactions_rank": [1, 2, 3, 4],
}
ITEMS = {
    "item_id": pa.array([40, 10, 20, 30], pa.uint32()),
    "author_id": pa.array([400, 600, 600, 500], pa.uint32()),
    "duration": pa.array([14, 11, 12, 13], pa.uint8()),
    "train_interactions_rank": [1, 2, 3, 4],
}
ITEM_ID = np.array([20, 40, 10, 30], dtype=np.uint32)
EMBEDDING = np.array([[2, 2.5, 0], [4, 4.5, 0], [1, 1.5, 0], [3, 3.5, 0]], dtype=np.float16)


def write_week(path: Path, rows: list[tuple[int, int, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    user, item, timespent = zip(*rows, strict=True) if rows else ([], [], [])
    table = {
        "user_id": pa.array(user, pa.uint32()),
        "item_id": pa.array(item, pa.uint32()),
        "place": pa.array([0] * len(user), pa.uint8()),
        "timespent": pa.array(timespent, pa.uint8()),
        "like": pa.array([t > 100 for t in timespent], pa.bool_()),
    }
    pq.write_table(pa.table(table), path)


def write(folder: Path, weeks: dict = WEEKS, below: str = "interactions") -> Path:
    """The folder of a data set with these weeks."""
    for name, rows in weeks.items():
        write_week(folder / below / f"{name}.parquet", rows)
    (folder / "metadata").mkdir(exist_ok=True)
    pq.write_table(pa.table(USERS), folder / "metadata/users_metadata.parquet")
    pq.write_table(pa.table(ITEMS), folder / "metadata/items_metadata.parquet")
    write_npz(folder)
    return folder


def write_npz(folder: Path, **changes: object) -> None:
    arrays = {"item_id": ITEM_ID, "embedding": EMBEDDING, **changes}
    there = {name: values for name, values in arrays.items() if values is not None}
    np.savez(folder / "metadata/item_embeddings.npz", **there)


def read(
    folder: Path, subsample: str = "", embedding_width: int = 0, download: bool = False
) -> Tables:
    return vk_lsvd.read(
        ReaderParams(
            source="vk-lsvd",
            path=str(folder),
            positive="timespent > 5",
            subsample=subsample,
            embedding_width=embedding_width,
            download=download,
            table=VALUES["data"]["table"],
        )
    )


def line_of(folder: Path, *arguments: object) -> str:
    with pytest.raises(InputError) as error:
        read(folder, *arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def changed(**weeks: list | None) -> dict:
    """WEEKS with files added or (None) left out; __ stands for /."""
    merged = {**WEEKS, **{name.replace("__", "/"): rows for name, rows in weeks.items()}}
    return {name: rows for name, rows in merged.items() if rows is not None}


def test_tables(tmp_path: Path) -> None:
    result = read(write(tmp_path))
    assert result.interactions.to_pydict() == {
        "user": [1, 0, 1, 0, 2, 0],
        "item": [2, 0, 0, 2, 1, 1],
        "is_positive": [True, False, True, True, True, False],
        "strength": [1, 0, 1 + 1, 1, 1, 0],
        "week": [0, 0, 1, 2, 3, 3],
        "like": [False, False, True, False, False, False],
        "timespent": [9, 2, 255, 6, 8, 0],
        "place": [0] * 6,
    }
    assert result.interactions.schema.field("week").type == pa.int16()
    assert result.interactions.schema.metadata == {
        b"n_weeks": b"4",
        b"weeks": b'{"start": [3, 4, 5, 6], "part": ["train", "train", "validation", "test"]}',
        b"levels": b'{"place": [0]}',
    }
    assert result.users.to_pydict() == {
        "user_id": [5, 7, 9],
        "age": [20, 30, 40],
        "gender": ["1", "2", "1"],
        "geo": ["9", "9", "10"],
    }
    assert result.users["geo"].combine_chunks().dictionary.to_pylist() == ["9", "10", "79"]
    assert result.items.to_pydict() == {"item_id": [10, 20, 30], "duration": [11, 12, 13]}
    assert result.items["item_id"].type == pa.uint32()
    assert result.item_tags.toarray().tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert result.item_embeddings.tolist() == [[1, 1.5, 0], [2, 2.5, 0], [3, 3.5, 0]]
    assert result.item_embeddings.dtype == np.float32


def test_subsample(tmp_path: Path) -> None:
    folder = write(tmp_path / "VK LSVD ü")
    write(folder, changed(train__week_03=None), "subsamples/ur0.01_ir0.01")
    result = read(folder, "ur0.01_ir0.01")
    assert result.interactions["week"].to_pylist() == [0, 1, 2, 2]
    assert result.interactions.schema.metadata[b"n_weeks"] == b"3"
    assert read(folder).interactions.num_rows == 6


@pytest.mark.parametrize("week", ["train/week_04", "test/week_06"])
def test_an_empty_week_counts(tmp_path: Path, week: str) -> None:
    result = read(write(tmp_path, {**WEEKS, week: []}))
    number = int(week[-2:]) - 3
    expected = [n for n in [0, 0, 1, 2, 3, 3] if n != number]
    assert result.interactions["week"].to_pylist() == expected
    assert result.interactions.schema.metadata[b"n_weeks"] == b"4"


def test_a_timestamp_orders_the_rows_of_a_week(tmp_path: Path) -> None:
    folder = write(tmp_path)
    expected = read(folder).interactions
    for path in folder.glob("interactions/*/*.parquet"):
        table = pq.read_table(path)
        table = table.append_column("timestamp", pa.array(10**9 + np.arange(len(table))))
        pq.write_table(table.take(np.arange(len(table))[::-1]), path)
    assert read(folder).interactions.equals(expected)


def test_weeks_go_by_number_not_by_name(tmp_path: Path) -> None:
    weeks = {f"train/week_{n}": [(5, 10, n)] for n in range(8, 12)}
    weeks |= {"validation/week_12": [(5, 10, 12)], "test/week_13": [(5, 10, 13)]}
    result = read(write(tmp_path, weeks))
    assert result.interactions["week"].to_pylist() == list(range(6))
    assert result.interactions["is_positive"].to_pylist() == [True] * 6


def test_items_without_embedding(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Item 10 has none, item 30 twice, item 20 an infinite one."""
    folder = write(tmp_path)
    item_id = np.array([20, 30, 30, 99], dtype=np.int64)
    embedding = np.array([[1, np.inf], [3, 3.5], [8, 8], [9, 9]], dtype=np.float64)
    write_npz(folder, item_id=item_id, embedding=embedding)
    result = read(folder).item_embeddings
    assert np.isnan(result[:2]).all()
    assert result[2].tolist() == [3, 3.5]
    out = capsys.readouterr().out
    for line in (
        "no row for 1 of 3 items",
        "1 rows repeat an earlier item; only the first row counts",
        "no usable embedding for 2 of 3 items",
    ):
        assert f"item_embeddings.npz: {line}\n" in out


@pytest.mark.parametrize(
    ("weeks", "line", "numbers"),
    [
        (
            changed(test__week_06=None),
            "/test: no week; the last window is week_05.parquet",
            [3, 4, 5],
        ),
        (
            changed(train__week_04=None),
            ": week 4 is missing; the weeks around it count as consecutive",
            [3, 5, 6],
        ),
        (changed(train__week_last=[(5, 10, 9)]), None, [3, 4, 5, 6]),
    ],
)
def test_the_weeks_that_are_there_are_the_windows(
    tmp_path: Path, weeks: dict, line: str | None, numbers: list, capsys: pytest.CaptureFixture
) -> None:
    """Other files are not read. A download that was cut short is told from a choice by what the
    parameters ask for.
    """
    folder = write(tmp_path, weeks)
    result = read(folder).interactions
    assert set(result["week"].to_pylist()) == {*range(len(numbers))}
    assert json.loads(result.schema.metadata[b"weeks"])["start"] == numbers
    out = capsys.readouterr().out
    assert out.count("\n") == (line is not None) + (3 not in numbers)
    assert line is None or f": {folder}/interactions{line}\n" in out
    if line and "test" in line:
        assert line_of(folder, "", 0, True).endswith("run python stages/download.py")


def test_without_embeddings_content_is_off(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = write(tmp_path) / "metadata/item_embeddings.npz"
    path.unlink()
    embeddings = read(tmp_path).item_embeddings
    assert (embeddings.shape, embeddings.dtype) == ((3, 1), np.float32)
    assert np.isnan(embeddings).all()
    line = f"{path}: not found; no item has an embedding"
    assert f": {line}\n" in capsys.readouterr().out
    assert line_of(tmp_path, "", 0, True).startswith(f"{line}; data.download is true: ")


def test_two_files_of_a_week_are_one_line(tmp_path: Path) -> None:
    folder = write(tmp_path, changed(validation__week_04=[(5, 10, 9)])) / "interactions"
    line = f"{folder}/validation/week_04.parquet: {folder}/train/week_04.parquet is week 4 too;"
    assert line_of(tmp_path).startswith(line)


def test_without_any_week_the_subsamples_are_listed(tmp_path: Path) -> None:
    (tmp_path / "subsamples/ur1").mkdir(parents=True)
    for subsample, below in (("", "interactions"), ("ur0.01", "subsamples/ur0.01")):
        assert line_of(tmp_path, subsample) == (
            f"data.subsample is {subsample!r}: no {tmp_path}/{below}/train/week_NN.parquet; the"
            " subsamples there are ur1, '' is the whole data set"
        )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"item_id": None}, "item_id is not a file in the archive"),
        ({"embedding": EMBEDDING[:3]}, "item_id is uint32 (4,), embedding float16 (3, 3); must be"),
        ({"embedding": EMBEDDING.astype(str)}, "embedding <U"),
    ],
)
def test_unfit_arrays(tmp_path: Path, changes: dict, part: str) -> None:
    write_npz(write(tmp_path), **changes)
    line = line_of(tmp_path)
    assert line.startswith(f"{tmp_path}/metadata/item_embeddings.npz: ")
    assert part in line
