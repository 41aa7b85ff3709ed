"""VK-LSVD's public layout: what it becomes, its dirt, and a line for each kind of bad data."""

import json
from pathlib import Path

from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import test_movielens
import test_vk_notebook as notebook

LOG = pa.concat_tables([pa.table(notebook.TRAIN), pa.table(notebook.TEST)])
WEEKS = {  # the rows of the notebook's log in each week
    "train/week_03": [0, 1],
    "train/week_04": [2],
    "validation/week_05": [3],
    "test/week_06": [4, 5],
}
NPZ = "metadata/item_embeddings.npz"
ITEM_ID, EMBEDDING = (pa.array(of).to_numpy(False) for of in notebook.EMBEDDINGS.values())
EMBEDDING = np.stack(EMBEDDING).astype(np.float16)


def write(folder: Path, weeks: dict = WEEKS, below: str = "interactions", **arrays: object) -> Path:
    """Write a data set with these weeks (None: without), and arrays of the embeddings."""
    for name, rows in weeks.items():
        if rows is None:
            continue
        path = folder / below / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(LOG.take(pa.array(rows, pa.int32())), path)
    (folder / "metadata").mkdir(exist_ok=True)
    for name, columns in (("users", notebook.USERS), ("items", notebook.ITEMS)):
        pq.write_table(pa.table(columns), folder / f"metadata/{name}_metadata.parquet")
    np.savez(folder / NPZ, **{"item_id": ITEM_ID, "embedding": EMBEDDING, **arrays})
    return folder


def read(folder: Path, **changes: object) -> Tables:
    return test_movielens.read(folder, "vk-lsvd", "timespent > 5", **changes)


def line_of(folder: Path, **changes: object) -> str:
    return test_movielens.line_of(folder, "vk-lsvd", "timespent > 5", **changes)


def test_tables_are_those_of_the_notebook(tmp_path: Path) -> None:
    expected = notebook.read(notebook.write(tmp_path / "notebook"))
    result = read(write(tmp_path))
    log = result.interactions
    assert log.drop_columns("week").equals(expected.interactions.drop_columns("is_test"))
    assert log["week"].to_pylist() == [0, 0, 1, 2, 3, 3]
    assert log.schema.field("week").type == pa.int16()
    assert log.schema.metadata == {
        b"n_weeks": b"4",
        b"weeks": b'{"start": [3, 4, 5, 6], "part": ["train", "train", "validation", "test"]}',
        b"levels": b'{"place": [1, 2]}',
    }
    assert result.users.equals(expected.users)
    assert result.items.equals(expected.items)
    assert (result.item_tags != expected.item_tags).nnz == 0
    assert result.item_embeddings.tolist() == expected.item_embeddings.tolist()


def test_weeks_of_a_subsample(tmp_path: Path) -> None:
    """Weeks go by their numbers, not by name. An empty week counts."""
    folder = write(tmp_path / "VK LSVD ü")
    weeks = {f"train/week_{n}": [n - 8] for n in range(8, 11)}
    weeks |= {"train/week_11": [], "validation/week_12": [4], "test/week_13": [5]}
    write(folder, weeks, "subsamples/ur0.01_ir0.01")
    log = read(folder, subsample="ur0.01_ir0.01").interactions
    assert log["week"].to_pylist() == [0, 1, 2, 4, 5]
    assert log["timespent"].to_pylist() == LOG["timespent"].take([0, 1, 2, 4, 5]).to_pylist()
    assert log.schema.metadata[b"n_weeks"] == b"6"
    assert read(folder).interactions.num_rows == 6


@pytest.mark.parametrize(
    ("weeks", "line", "numbers"),
    [
        ({"test/week_06": None}, "/test: no week; the last window is week_05.p", [3, 4, 5]),
        ({"train/week_04": None}, ": week 4 is missing; the weeks around it c", [3, 5, 6]),
        ({"train/week_last": [0]}, None, [3, 4, 5, 6]),
    ],
)
def test_the_weeks_that_are_there_are_the_windows(
    tmp_path: Path, weeks: dict, line: str | None, numbers: list, capsys: pytest.CaptureFixture
) -> None:
    """Other files are not read. With data.download, a missing part is an interrupted download."""
    folder = write(tmp_path, WEEKS | weeks)
    result = read(folder).interactions
    assert set(result["week"].to_pylist()) == {*range(len(numbers))}
    assert json.loads(result.schema.metadata[b"weeks"])["start"] == numbers
    out = capsys.readouterr().out
    assert out.count("\n") == (line is not None) + (3 not in numbers)
    assert line is None or f": {folder}/interactions{line}" in out
    if line and "test" in line:
        assert line_of(folder, download=True).endswith("run python stages/download.py")


def test_without_embeddings_content_is_off(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = write(tmp_path) / NPZ
    path.unlink()
    embeddings = read(tmp_path).item_embeddings
    assert (embeddings.shape, embeddings.dtype) == ((3, 1), np.float32)
    assert np.isnan(embeddings).all()
    line = f"{path}: not found; no item has an embedding"
    assert f": {line}\n" in capsys.readouterr().out
    assert line_of(tmp_path, download=True).startswith(f"{line}; data.download is true: ")


def test_one_line_for_what_is_unfit(tmp_path: Path) -> None:
    embeddings, folder = tmp_path / NPZ, tmp_path / "interactions"
    for changes, part in (
        ({"embedding": EMBEDDING[:2]}, "item_id is uint32 (3,), embedding float16 (2, 2); must be"),
        ({"embedding": EMBEDDING.astype(str)}, "item_id is uint32 (3,), embedding <U"),
    ):
        assert line_of(write(tmp_path, **changes)).startswith(f"{embeddings}: {part}")
    np.savez(embeddings, embedding=EMBEDDING)
    assert "item_id is not a file in the archive" in line_of(tmp_path)
    line = f"{folder}/validation/week_04.parquet: {folder}/train/week_04.parquet is week 4 too;"
    assert line_of(write(tmp_path, {"validation/week_04": [0]})).startswith(line)


def test_without_any_week_the_subsamples_are_listed(tmp_path: Path) -> None:
    (tmp_path / "subsamples/ur1").mkdir(parents=True)
    for subsample, below in (("", "interactions"), ("ur0.01", "subsamples/ur0.01")):
        assert line_of(tmp_path, subsample=subsample) == (
            f"data.subsample is {subsample!r}: no {tmp_path}/{below}/train/week_NN.parquet; the"
            " subsamples there are ur1, '' is the whole data set"
        )
