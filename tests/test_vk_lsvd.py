"""VK-LSVD's public layout: what it becomes, its dirt, and a line for each kind of bad data."""

import io
import zipfile
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from folds.tables import Tables
from readers import vk_lsvd
from readers.params import ReaderParams

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


def read(folder: Path, subsample: str = "", embedding_width: int = 0) -> Tables:
    return vk_lsvd.read(
        ReaderParams(
            source="vk-lsvd",
            path=str(folder),
            positive="timespent > 5",
            subsample=subsample,
            embedding_width=embedding_width,
            download=False,
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
        b"first_week": b"3",
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


def test_first_columns_of_the_embedding(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert read(folder, embedding_width=2).item_embeddings.tolist() == [
        [1, 1.5],
        [2, 2.5],
        [3, 3.5],
    ]
    path = folder / "metadata/item_embeddings.npz"
    assert line_of(folder, "", 4) == f"data.embedding_width is 4: {path} has 3; 0 takes all"


def test_subsample(tmp_path: Path) -> None:
    folder = write(tmp_path / "VK LSVD ü")
    write(folder, changed(train__week_03=None), "subsamples/ur0.01_ir0.01")
    result = read(folder, "ur0.01_ir0.01")
    assert result.interactions["week"].to_pylist() == [0, 1, 2, 2]
    assert result.interactions.schema.metadata[b"n_weeks"] == b"3"
    assert read(folder).interactions.num_rows == 6
    line = line_of(folder, "ur1")
    assert line.startswith("data.subsample is 'ur1': ")
    assert line.endswith("there are ur0.01_ir0.01")


@pytest.mark.parametrize("week", ["train/week_03", "train/week_04", "test/week_06"])
def test_an_empty_week_counts(tmp_path: Path, week: str) -> None:
    result = read(write(tmp_path, {**WEEKS, week: []}))
    number = int(week[-2:]) - 3
    expected = [n for n in [0, 0, 1, 2, 3, 3] if n != number]
    assert result.interactions["week"].to_pylist() == expected
    assert result.interactions.schema.metadata[b"n_weeks"] == b"4"


def test_an_empty_week_may_have_columns_of_any_type(tmp_path: Path) -> None:
    folder = write(tmp_path)
    nothing = {name: pa.array([], pa.float64()) for name in ("user_id", "item_id", "timespent")}
    pq.write_table(pa.table(nothing), folder / "interactions/train/week_04.parquet")
    assert read(folder).interactions["strength"].to_pylist() == [1, 0, 1, 1, 0]


def test_a_week_without_positives(tmp_path: Path) -> None:
    result = read(write(tmp_path, changed(train__week_04=[(7, 10, 0)])))
    assert result.interactions["is_positive"].to_pylist() == [True, False, False, True, True, False]


def test_weeks_go_by_number_not_by_name(tmp_path: Path) -> None:
    weeks = {f"train/week_{n}": [(5, 10, n)] for n in range(8, 12)}
    weeks |= {"validation/week_12": [(5, 10, 12)], "test/week_13": [(5, 10, 13)]}
    result = read(write(tmp_path, weeks))
    assert result.interactions["week"].to_pylist() == list(range(6))
    assert result.interactions["is_positive"].to_pylist() == [True] * 6


def test_ids_of_other_types(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for path in folder.rglob("*.parquet"):
        table = pq.read_table(path)
        for name in {"user_id", "item_id"} & set(table.column_names):
            place = table.column_names.index(name)
            table = table.set_column(place, name, table[name].cast(pa.string()))
        pq.write_table(table, path)
    assert "item_embeddings.npz: item_id is uint32" in line_of(folder)
    write_npz(folder, item_id=ITEM_ID.astype(str))
    expected = read(write(tmp_path / "plain"))
    result = read(folder)
    assert result.users["user_id"].to_pylist() == ["5", "7", "9"]
    assert result.interactions.equals(expected.interactions)
    assert (result.item_embeddings == expected.item_embeddings).all()
    write_npz(folder, item_id=ITEM_ID.astype(np.int64))
    assert "item_embeddings.npz: item_id is int64, in the interactions" in line_of(folder)


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
        "1 rows of items without interactions, left out",
        "1 more rows of the same item, left out",
        "no usable embedding of 2 of 3 items",
    ):
        assert f"item_embeddings.npz: {line}\n" in out


@pytest.mark.parametrize(
    ("weeks", "file", "part"),
    [
        (
            changed(train__week_04=None),
            "validation/week_05",
            "week 5 follows week 3 of train/week_03.parquet; must be week 4,",
        ),
        (changed(train__week_4=[(5, 10, 9)]), "train/week_4", "week 4 follows week 4 of train/"),
        (
            changed(validation__week_04=[(5, 10, 9)]),
            "validation/week_04",
            "week 4 follows week 4 of train/week_04.parquet; must be week 5,",
        ),
        (
            changed(train__week_05=[(5, 10, 9)], validation__week_05=None, validation__week_02=[]),
            "validation/week_02",
            "week 2 follows week 5 of train/week_05.parquet; must be week 6,",
        ),
        (changed(test__week_05=[(5, 10, 9)]), "test/week_05", "must be week 6,"),
        (changed(train__week_last=[(5, 10, 9)]), "train/week_last", "must be week_NN.parquet"),
    ],
)
def test_weeks_that_do_not_go_on_by_one(tmp_path: Path, weeks: dict, file: str, part: str) -> None:
    line = line_of(write(tmp_path, weeks))
    assert line.startswith(f"{tmp_path}/interactions/{file}.parquet: ")
    assert part in line


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_without_weeks(tmp_path: Path, part: str) -> None:
    folder = write(tmp_path, {name: rows for name, rows in WEEKS.items() if part not in name})
    line = line_of(folder)
    assert line.startswith(f"{folder}/interactions/{part}: no week_NN.parquet")
    (folder / "interactions" / part).mkdir()
    assert line_of(folder) == line


def test_missing_folders(tmp_path: Path) -> None:
    assert line_of(tmp_path / "none").startswith(f"data.path is '{tmp_path}/none': ")
    assert line_of(tmp_path).startswith("data.subsample is '': ")
    assert "there are no subsamples" in line_of(tmp_path, "ur0.01_ir0.01")


FILES = [
    "interactions/train/week_04.parquet",
    "interactions/test/week_06.parquet",
    "metadata/users_metadata.parquet",
    "metadata/items_metadata.parquet",
    "metadata/item_embeddings.npz",
]


@pytest.mark.parametrize("name", FILES[2:])
def test_missing_files(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    assert line_of(tmp_path) == f"{tmp_path / name}: not found"


@pytest.mark.parametrize("name", FILES)
def test_broken_files(tmp_path: Path, name: str) -> None:
    path = write(tmp_path) / name
    whole = path.read_bytes()
    form = path.suffix.removeprefix(".")
    for content in (whole[:-30], whole[: len(whole) // 2], b"", b"user_id,item_id\n1,2\n"):
        path.write_bytes(content)
        assert line_of(tmp_path).startswith(f"{path}: cannot be read as a {form} file: ")


def test_a_changed_byte_in_the_npz(tmp_path: Path) -> None:
    path = write(tmp_path) / "metadata/item_embeddings.npz"
    with zipfile.ZipFile(path) as file:
        end_of_first = file.infolist()[1].header_offset
    content = bytearray(path.read_bytes())
    content[end_of_first - 1] ^= 255
    path.write_bytes(content)
    assert line_of(tmp_path).startswith(f"{path}: cannot be read as a npz file: Bad CRC-32")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"item_id": None}, "its arrays are embedding; must be item_id and embedding"),
        ({"embedding": None}, "its arrays are item_id; must be item_id and embedding"),
        ({"embedding": EMBEDDING[:3]}, "item_id is uint32 (4,), embedding float16 (3, 3); must be"),
        ({"embedding": EMBEDDING[:, 0]}, "embedding float16 (4,); must be"),
        ({"embedding": EMBEDDING.astype(str)}, "embedding <U"),
        ({"item_id": ITEM_ID.astype(float)}, "item_id is float64 (4,)"),
        ({"embedding": np.array([[1], [1, 2], [1], [1]], dtype=object)}, "allow_pickle=False"),
    ],
)
def test_unfit_arrays(tmp_path: Path, changes: dict, part: str) -> None:
    write_npz(write(tmp_path), **changes)
    line = line_of(tmp_path)
    assert line.startswith(f"{tmp_path}/metadata/item_embeddings.npz: ")
    assert part in line


@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_of_any_byte_order(tmp_path: Path, order: str) -> None:
    expected = read(write(tmp_path)).item_embeddings
    arrays = {"item_id": ITEM_ID, "embedding": EMBEDDING}
    write_npz(
        tmp_path, **{name: of.astype(of.dtype.newbyteorder(order)) for name, of in arrays.items()}
    )
    assert (read(tmp_path).item_embeddings == expected).all()


@pytest.mark.parametrize(
    "shape", [(4, 10**14), (4, 2**62), (4, 10**19), (10**30, 1), (-1, 3)], ids=str
)
def test_a_header_of_more_than_there_is(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = write(tmp_path) / "metadata/item_embeddings.npz"
    header = io.BytesIO()
    fields = {"shape": shape, "fortran_order": False, "descr": "<f4"}
    np.lib.format.write_array_header_1_0(header, fields)
    write_npz(tmp_path, embedding=None)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("embedding.npy", header.getvalue() + bytes(64))
    assert line_of(tmp_path).startswith(f"{path}: cannot be read as a npz file: ")


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    path = write(tmp_path) / "metadata/item_embeddings.npz"
    write_npz(tmp_path, embedding=None)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("embedding.npy", b"no array")
    assert "embedding |S8 (); must be integers or strings (n,)" in line_of(tmp_path)


def test_a_column_that_occurs_twice(tmp_path: Path) -> None:
    """Whichever is meant; it is not called absent."""
    folder = write(tmp_path)
    for file in ("interactions/test/week_06", "metadata/users_metadata", "metadata/items_metadata"):
        path = folder / f"{file}.parquet"
        table = pq.read_table(path)
        for name in table.column_names[:3]:
            pq.write_table(table.append_column(name, table[name]), path)
            expected = f"{path}: column {name} occurs 2 times; each must occur once"
            assert line_of(folder) == expected
        pq.write_table(table, path)


def test_a_npy_file_named_npz(tmp_path: Path) -> None:
    with (write(tmp_path) / "metadata/item_embeddings.npz").open("wb") as file:
        np.save(file, EMBEDDING)
    assert "its arrays are none; must be item_id and embedding" in line_of(tmp_path)


def test_a_column_missing_in_one_week(tmp_path: Path) -> None:
    path = write(tmp_path) / "interactions/test/week_06.parquet"
    whole = pq.read_table(path)
    for name in ("user_id", "item_id", "timespent"):
        pq.write_table(whole.drop_columns([name]), path)
        line = line_of(tmp_path)
        assert line.startswith(f"{path}: ")
        assert f"no column {name}; " in line


def test_no_rows_and_no_positives(tmp_path: Path) -> None:
    line = line_of(write(tmp_path, {name: [] for name in WEEKS}))
    assert line.endswith(
        "train/week_03.parquet to week_06.parquet: no rows; interactions are needed"
    )
    line = line_of(write(tmp_path, {name: [(5, 10, 5)] for name in WEEKS}))
    assert line == "data.positive is 'timespent > 5': none of 4 interactions is positive"
