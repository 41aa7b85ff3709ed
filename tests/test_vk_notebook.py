"""The notebook's five files: what they become, their dirt, and a line for each kind of bad data."""

from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from folds import tables
from folds.tables import Tables
from readers import parquet, vk_notebook
from readers.ids import Ids
from readers.params import ReaderParams

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
FILES = {
    "train": TRAIN,
    "test": TEST,
    "user_metadata": USERS,
    "item_metadata": ITEMS,
    "item_embeddings": EMBEDDINGS,
}


def write(folder: Path, **changes: dict | None) -> Path:
    """The five files, with columns of some replaced (None: without the column)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in FILES.items():
        columns = {**columns, **changes.get(name, {})}
        there = {key: values for key, values in columns.items() if values is not None}
        pq.write_table(pa.table(there), folder / f"{name}.parquet")
    return folder


def read(folder: Path, positive: str = "timespent > 5", embedding_width: int = 0) -> Tables:
    return vk_notebook.read(
        ReaderParams(
            source="vk-notebook",
            path=str(folder),
            positive=positive,
            subsample="",
            embedding_width=embedding_width,
            download=False,
        )
    )


def line_of(folder: Path, *arguments: object) -> str:
    with pytest.raises(InputError) as error:
        read(folder, *arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def columns_of(table: pa.Table) -> dict[str, list]:
    return table.to_pydict()


def test_interactions(tmp_path: Path) -> None:
    table = read(write(tmp_path)).interactions
    assert columns_of(table) == {
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
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "user": "int32",
        "item": "int32",
        "is_positive": "bool",
        "strength": "uint8",
        "is_test": "bool",
        **dict.fromkeys(("like", "share", "bookmark"), "bool"),
        **dict.fromkeys(("timespent", "place"), "uint8"),
    }


def test_users(tmp_path: Path) -> None:
    users = read(write(tmp_path)).users
    assert columns_of(users) == {
        "user_id": [5, 7, 9],
        "age": [20, 30, 40],
        "gender": ["1", "2", "1"],
        "geo": ["10", "9", "9"],
    }
    category = pa.dictionary(pa.int32(), pa.string())
    assert users.schema.types == [pa.uint32(), pa.float32(), category, category]
    assert users["geo"].combine_chunks().dictionary.to_pylist() == ["9", "10"]


def test_items(tmp_path: Path) -> None:
    result = read(write(tmp_path))
    assert columns_of(result.items) == {"item_id": [10, 20, 30], "duration": [11, 12, 13]}
    assert result.items.schema.types == [pa.uint32(), pa.float32()]
    assert result.item_tags.toarray().tolist() == [[0, 1], [0, 1], [1, 0]]  # authors 500, 600
    assert result.item_tags.dtype == np.float32
    assert result.item_embeddings.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5]]
    assert result.item_embeddings.dtype == np.float32


def test_a_rule_of_several_columns(tmp_path: Path) -> None:
    table = read(write(tmp_path), "share and not timespent > 5 or bookmark").interactions
    assert table["is_positive"].to_pylist() == [False, True, True, False, False, True]
    assert table["strength"].to_pylist() == [0, 1 + 1, 1 + 3, 0, 0, 1 + 1]


def test_path_with_spaces_and_other_letters_is_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "мои данные ü")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    folder.chmod(0o555)
    monkeypatch.chdir(tmp_path)
    absolute, relative = read(folder), read(Path("мои данные ü"))
    folder.chmod(0o755)
    assert absolute.interactions.equals(relative.interactions)
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()
    }


ODD_COLUMNS = {  # of two rows, of every type that a parquet file can have
    "half float": pa.array(np.array([1, 1.5], np.float16)),
    "decimal": pa.array([1, 2], pa.decimal128(9, 2)),
    "int64": pa.array([2**63 - 1, -(2**63)], pa.int64()),
    "uint64": pa.array([2**64 - 1, 0], pa.uint64()),
    "bool": pa.array([True, False]),
    "timestamp": pa.array([0, 1], pa.timestamp("us")),
    "timestamp of a zone": pa.array([0, 1], pa.timestamp("us", "Europe/Moscow")),
    "date": pa.array([0, 1], pa.date32()),
    "time": pa.array([0, 1], pa.time64("us")),
    "duration": pa.array([0, 1], pa.duration("s")),
    "string view": pa.array(["a", "1"], pa.string_view()),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "binary": pa.array([b"\xff", b""]),
    "fixed binary": pa.array([b"ab", b"cd"], pa.binary(2)),
    "null": pa.nulls(2),
    "list": pa.array([[1], []]),
    "struct": pa.array([{"user_id": 5}, None]),
    "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("kind", ODD_COLUMNS)
@pytest.mark.parametrize("name", FILES)
def test_a_column_of_every_type_is_read_or_one_line(tmp_path: Path, name: str, kind: str) -> None:
    for column, there in FILES[name].items():
        odd = pa.concat_arrays([ODD_COLUMNS[kind]] * 2)[: len(there)]
        folder = write(tmp_path, **{name: {column: odd}})
        try:
            read(folder)
        except InputError as error:
            assert f"{folder / name}.parquet: " in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017


def test_half_floats_are_categories_as_other_numbers(tmp_path: Path) -> None:
    halves = pa.array(np.array([1, 2.5, 1], np.float16))
    folder = write(tmp_path, user_metadata={"geo": halves}, item_metadata={"author_id": halves})
    result = read(folder)
    assert result.users["geo"].to_pylist() == ["1", "2.5", "1"]
    assert result.item_tags.toarray().tolist() == [[1, 0], [1, 0], [0, 1]]  # items 10, 20, 30


def test_what_is_read_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = read(write(tmp_path / "raw"))
    monkeypatch.chdir(tmp_path)
    tables.write(result)
    assert pq.read_table(tables.INTERACTIONS).equals(result.interactions)
    assert pq.read_table(tables.USERS).equals(result.users)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float16()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float16(), 2),
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float64(), 2),
    ],
    ids=str,
)
def test_embeddings_of_every_type(tmp_path: Path, kind: pa.DataType) -> None:
    lists = pa.array([[3, 3.5], None, [2, None]], kind)
    result = read(write(tmp_path, item_embeddings={"embedding": lists})).item_embeddings
    assert result.dtype == np.float32
    assert np.isnan(result[:2]).all()  # item 10 has none, item 20 only a part of one
    assert result[2].tolist() == [3, 3.5]


def test_embeddings_in_the_item_metadata(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    lists = pa.array([[2, 2.5], [3, 3.5], [1, 1.5]], pa.list_(pa.float64()))
    folder = write(
        tmp_path, item_metadata={"vector": lists}, item_embeddings={"embedding": [1.0, 2.0, 3.0]}
    )
    assert "embedding is double; must be lists of numbers" in line_of(folder)
    write(tmp_path, item_metadata={"vector": lists}, item_embeddings={"embedding": None})
    expected = [[1, 1.5], [2, 2.5], [3, 3.5]]
    assert read(folder).item_embeddings.tolist() == expected
    (folder / "item_embeddings.parquet").unlink()
    assert read(folder).item_embeddings.tolist() == expected
    assert "item_embeddings.parquet: not found; vector of item_metadata" in capsys.readouterr().out


def test_embeddings_in_both_files(tmp_path: Path) -> None:
    lists = pa.array([[0], [0], [0]], pa.list_(pa.float64()))
    folder = write(tmp_path, item_metadata={"embedding": lists})
    assert read(folder).item_embeddings.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5]]


def test_which_lists_are_the_embeddings(tmp_path: Path) -> None:
    words = pa.array([["a"], ["b"], ["c"]])
    numbers = pa.array([[0], [0], [0]])
    folder = write(tmp_path, item_embeddings={"words": words, "numbers": numbers})
    assert read(folder).item_embeddings.shape == (3, 2)
    renamed = {"embedding": None, "vector": EMBEDDINGS["embedding"], "words": words}
    write(tmp_path, item_embeddings=renamed)
    assert read(folder).item_embeddings.shape == (3, 2)
    write(tmp_path, item_embeddings={**renamed, "numbers": numbers})
    assert "vector, numbers are lists; name the one to be used embedding" in line_of(folder)
    write(tmp_path, item_embeddings={"embedding": None})
    assert line_of(folder).startswith(f"{folder / 'item_embeddings.parquet'}: no column of lists")


def test_embedding_width(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert read(folder, embedding_width=1).item_embeddings.tolist() == [[1], [2], [3]]
    line = line_of(folder, "timespent > 5", 3)
    path = folder / "item_embeddings.parquet"
    assert line == f"data.embedding_width is 3: {path} has 2; 0 takes all"


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
        item_embeddings={"item_id": [10, 10, 77]},
    )
    result = read(folder)
    users = result.users.to_pandas()
    assert users["age"].isna().tolist() == [True, True, False]
    assert users["gender"].tolist()[1:] == ["m", "f"]
    assert users["gender"].cat.categories.tolist() == ["f", "m"]
    assert users["geo"].isna().tolist() == [True, False, True]
    assert users["geo"].cat.categories.tolist() == ["3", "9", "10"]
    assert result.items["duration"].to_pylist() == [None, None, 13]
    assert result.item_tags.toarray().tolist() == [[0, 0], [0, 0], [0, 1]]  # authors 400, 500
    embeddings = result.item_embeddings
    assert embeddings[0].tolist() == [3, 3.5]  # the first row of item 10
    assert np.isnan(embeddings[1:]).all()
    out = capsys.readouterr().out
    for line in (
        "user_metadata.parquet: no row for 1 of 3 users",
        "user_metadata.parquet: 1 rows of users without interactions, left out",
        "user_metadata.parquet: 1 more rows of the same user, left out",
        "item_metadata.parquet: no row for 1 of 3 items",
        "item_metadata.parquet: 1 rows of items without interactions, left out",
        "item_embeddings.parquet: no row for 2 of 3 items",
        "item_embeddings.parquet: 1 rows of items without interactions, left out",
        "item_embeddings.parquet: 1 more rows of the same item, left out",
        "item_embeddings.parquet: no usable embedding of 2 of 3 items",
    ):
        assert f"{tmp_path}/{line}\n" in out


def test_levels_and_authors_do_not_depend_on_who_is_in_the_log(tmp_path: Path) -> None:
    whole = read(write(tmp_path))
    few = {"user_id": pa.array([5, 5], pa.uint32()), "item_id": pa.array([10, 10], pa.uint32())}
    less = read(
        write(
            tmp_path,
            train={**few, **{name: TRAIN[name][:2] for name in TRAIN if name not in few}},
            test=few,
        )
    )
    assert less.users["user_id"].to_pylist() == [5]
    assert less.items["item_id"].to_pylist() == [10]
    assert less.users.equals(whole.users.slice(0, 1))
    assert less.item_tags.toarray().tolist() == whole.item_tags.toarray()[:1].tolist()


def test_metadata_without_rows_or_without_values(tmp_path: Path) -> None:
    empty = {name: pa.array([], pa.null()) for name in USERS}
    folder = write(tmp_path, user_metadata=empty, item_metadata={"author_id": pa.nulls(3)})
    result = read(folder)
    assert result.users["age"].to_pylist() == [None] * 3
    assert result.users["geo"].to_pylist() == [None] * 3
    assert result.item_tags.shape[0] == 3
    assert result.item_tags.nnz == 0


def test_missing_feedback_is_not_given(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = write(
        tmp_path,
        train={"timespent": [9.0, 2.0, float("nan"), None], "like": [None, None, True, True]},
    )
    table = read(folder, "timespent > 5 and not like").interactions
    assert table["is_positive"].to_pylist() == [True, False, False, False, True, False]
    assert table["strength"].to_pylist() == [1, 0, 0, 0, 1, 0]
    out = capsys.readouterr().out
    assert "data.positive: timespent is null or NaN in 2 rows" in out
    assert "data.positive: like is null or NaN in 2 rows" in out


def test_strength_from_the_columns_that_all_files_have(tmp_path: Path) -> None:
    folder = write(
        tmp_path, train={"share": None, "like": pa.array([1, 0, 1, 0])}, test={"bookmark": None}
    )
    assert read(folder).interactions["strength"].to_pylist() == [2, 0, 2, 1, 1, 0]


@pytest.mark.parametrize(
    "kinds",
    [
        (pa.int64(), pa.uint32(), pa.int64()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.string(), pa.string(), pa.string()),
        (pa.int64(), pa.int64(), pa.int64()),
    ],
    ids=str,
)
def test_ids_of_other_types(tmp_path: Path, kinds: tuple) -> None:
    """In train, in test, in users.parquet; metadata as in train."""
    ids = {
        name: {
            key: FILES[name][key].cast(pa.string() if pa.types.is_string(kinds[0]) else pa.int64())
            for key in ("user_id", "item_id")
            if key in FILES[name]
        }
        for name in FILES
    }
    ids["test"] = {key: values.cast(kinds[1]) for key, values in ids["test"].items()}
    result, expected = read(write(tmp_path, **ids)), read(write(tmp_path / "plain"))
    assert result.users.schema.field("user_id").type == kinds[2]
    assert result.interactions.equals(expected.interactions)  # 5 < 7 < 9 and 10 < 20 < 30 as text
    assert result.users["geo"].equals(expected.users["geo"])
    assert result.items["duration"].equals(expected.items["duration"])
    assert (result.item_embeddings == expected.item_embeddings).all()


def test_duplicate_pairs_stay(tmp_path: Path) -> None:
    folder = write(tmp_path, test={"item_id": pa.array([10, 10], pa.uint32())})
    assert read(folder).interactions["item"].to_pylist()[4:] == [0, 0]


@pytest.mark.parametrize("name", FILES)
def test_missing_file(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path)
    (folder / f"{name}.parquet").unlink()
    assert line_of(folder).startswith(f"{folder / name}.parquet: not found")


def test_missing_folder(tmp_path: Path) -> None:
    line = line_of(tmp_path / "none")
    assert line.startswith(f"data.path is '{tmp_path}/none': ")
    assert "train.parquet, test.parquet, user_metadata.parquet, item_metadata.parquet" in line


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("train", "user_id"),
        ("test", "item_id"),
        ("test", "timespent"),
        ("user_metadata", "user_id"),
        ("user_metadata", "age"),
        ("user_metadata", "gender"),
        ("user_metadata", "geo"),
        ("item_metadata", "item_id"),
        ("item_metadata", "author_id"),
        ("item_metadata", "duration"),
        ("item_embeddings", "item_id"),
    ],
)
def test_missing_column(tmp_path: Path, name: str, column: str) -> None:
    line = line_of(write(tmp_path, **{name: {column: None}}))
    assert line.startswith(f"{tmp_path / name}.parquet: ")
    assert f"no column {column}; " in line


@pytest.mark.parametrize(
    ("name", "column", "values", "part"),
    [
        ("train", "timespent", list("abcd"), "timespent is string: only columns of numbers"),
        ("train", "like", list("abcd"), "like is string; must be true/false or numbers"),
        ("train", "item_id", [1.0, 2.0, 3.0, 4.0], "item_id is double; ids must be integers"),
        ("train", "user_id", [[1], [2], [3], [4]], "user_id is list<"),
        ("test", "user_id", ["5", "9"], "user_id is string, in "),
        ("train", "user_id", [1, None, 3, None], "user_id is null in 2 of 4 rows"),
        ("user_metadata", "user_id", ["5", "7", "9"], "in the interactions it is uint32"),
        ("user_metadata", "user_id", [5, None, 9], "user_id is null in 1 of 3 rows"),
        ("user_metadata", "age", ["20", "30", "40"], "age is string; must be numbers"),
        ("user_metadata", "geo", [[1], [2], [3]], "must be numbers, strings or true/false"),
        ("item_metadata", "duration", [True, True, True], "duration is bool; must be numbers"),
        ("item_metadata", "author_id", [[1], [2], [3]], "author_id is list<"),
        ("item_embeddings", "item_id", [1.0, 2.0, 3.0], "item_id is double; ids must be"),
        ("item_embeddings", "embedding", list("abc"), "embedding is string; must be lists of"),
        ("item_embeddings", "embedding", [["a"], ["b"], ["c"]], "must be lists of numbers"),
        (
            "item_embeddings",
            "embedding",
            [[1.0, 2.0], [1.0, 2.0], [1.0]],
            "embedding has 1 numbers in row 2 (counted from 0); must be 2, as in the rows before",
        ),
        ("item_embeddings", "embedding", [[], [1.0], [2.0]], "starts with an empty list"),
        (
            "item_embeddings",
            "embedding",
            pa.array([None] * 3, pa.list_(pa.float32())),
            "embedding is null in every row",
        ),
    ],
)
def test_wrong_values(tmp_path: Path, name: str, column: str, values: list, part: str) -> None:
    line = line_of(write(tmp_path, **{name: {column: values}}))
    assert line.startswith(f"{tmp_path / name}.parquet: ")
    assert part in line


@pytest.mark.parametrize("name", FILES)
def test_broken_files(tmp_path: Path, name: str) -> None:
    path = write(tmp_path) / f"{name}.parquet"
    whole = path.read_bytes()
    for content in (whole[:-20], whole[: len(whole) // 2], b"", b"user_id,item_id\n1,2\n"):
        path.write_bytes(content)
        assert line_of(tmp_path).startswith(f"{path}: cannot be read as a parquet file: ")


@pytest.mark.parametrize("name", ["train", "user_metadata", "item_embeddings"])
def test_broken_pages_under_a_whole_footer(tmp_path: Path, name: str) -> None:
    path = write(tmp_path) / f"{name}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    assert line_of(tmp_path).startswith(f"{path}: cannot be read as a parquet file: ")


@pytest.mark.parametrize("name", ["train", "test"])
def test_no_rows(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path)
    pq.write_table(pa.table(FILES[name]).slice(0, 0), folder / f"{name}.parquet")
    assert line_of(folder) == f"{folder / name}.parquet: no rows; interactions are needed"


def test_no_positives(tmp_path: Path) -> None:
    line = line_of(write(tmp_path), "timespent > 255")
    assert line == "data.positive is 'timespent > 255': none of 6 interactions is positive"


@pytest.mark.parametrize(
    ("positive", "part"),
    [
        ("timespent >", "the end at position 12"),
        ("user_id > 5", "no column user_id; the feedback columns are timespent, like, share"),
        ("timespent", "timespent is of numbers (uint8)"),
    ],
)
def test_bad_rule(tmp_path: Path, positive: str, part: str) -> None:
    assert part in line_of(write(tmp_path), positive)


def test_embeddings_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)
    path = tmp_path / "items.parquet"
    lists = [None, None, [1, 1], None, [3, 3], [4, 4, 4]]
    pq.write_table(pa.table({"item_id": [9, 1, 2, 3, 4, 5], "e": lists}).slice(0, 5), path)
    ids = Ids(pa.array([2, 3, 4]))
    result = vk_notebook.read_embeddings(path, "e", ids, 1)
    assert result[[0, 2]].tolist() == [[1], [3]]
    assert np.isnan(result[1]).all()
    pq.write_table(pa.table({"item_id": [9, 1, 2, 3, 4, 5], "e": lists}), path)
    with pytest.raises(InputError, match=r"e has 3 numbers in row 5 \(counted from 0\)"):
        vk_notebook.read_embeddings(path, "e", ids, 1)
