"""The files of MovieLens: what they become, and a line for a bad one."""

from collections.abc import Callable
from pathlib import Path

from core.script import InputError
from core.tables import Tables

import numpy as np
import pandas as pd
import pytest

import movielens_like
from readers import READERS, movielens
from readers.movielens import EDITIONS
from readers.params import ReaderParams
from test_params import VALUES

RATINGS, ITEMS, USERS = "ml-1m.inter", "ml-1m.item", "ml-1m.user"


def params_of(
    folder: Path, source: str, positive: str = "rating >= 4", **changes: object
) -> ReaderParams:
    """The section `data` with these values."""
    values = {**VALUES["data"], "source": source, "path": str(folder), "positive": positive}
    return ReaderParams.model_validate({**values, **changes})


def read(folder: Path, source: str = "movielens-1m", *values: str, **changes: object) -> Tables:
    return READERS[source](params_of(folder, source, *values, **changes))


def line_of(folder: Path, *values: str, **changes: object) -> str:
    """The one line of the InputError."""
    with pytest.raises(InputError) as error:
        read(folder, *values, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module", params=EDITIONS)
def source(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, source: str) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    movielens_like.write(folder, stem=EDITIONS[source][0])
    return folder


@pytest.fixture(scope="module")
def files(folder: Path, source: str) -> list[Path]:
    return movielens.files_of(params_of(folder, source), folder)


def frame_of(path: Path) -> pd.DataFrame:
    """The file as text, the first row of each id, which is the index."""
    frame = movielens_like.read_ratings(path, str)
    name = frame.columns[0]
    return frame.drop_duplicates(name).set_index(name)


def test_interactions_are_the_ratings_in_order_of_time(source: str, files: list[Path]) -> None:
    result = read(files[0].parent, source, "rating >= 4 or rating == 1 and age > 0")
    ratings = movielens_like.read_ratings(files[0]).sort_values("timestamp", kind="stable")
    log = result.interactions.to_pandas()
    assert (result.users["user_id"].to_numpy()[log["user"]] == ratings["user_id"]).all()
    assert (result.items["item_id"].to_numpy()[log["item"]] == ratings["item_id"]).all()
    assert (log["is_positive"].to_numpy() == ratings["rating"].isin([1, 4, 5])).all()
    strength = ratings["rating"].map({1: 1, 2: 0, 3: 0, 4: 1, 5: 2})
    assert (log["strength"].to_numpy() == strength).all()
    assert log.dtypes.astype(str).tolist() == ["int32", "int32", "bool", "uint8", "int64"]


def test_users_and_items_are_ascending_with_their_own_columns(
    source: str, files: list[Path]
) -> None:
    _, items, users = files
    result = read(items.parent, source)
    for table, name, file in ((result.users, "user_id", users), (result.items, "item_id", items)):
        ids = table[name].to_pylist()
        assert ids == sorted(ids, key=str.encode)
        frame = frame_of(file).loc[ids]
        for column in set(table.column_names) - {name}:
            values = table[column].to_pandas()
            expected = frame[column]
            if values.dtype == np.float32:
                expected = pd.to_numeric(expected, errors="coerce").astype(np.float32)
            np.testing.assert_array_equal(values.to_numpy(), expected.to_numpy())
    for title, (_, row) in zip(result.item_titles.to_pylist(), frame.iterrows(), strict=True):
        year = f" ({row['release_year']})" if row["release_year"].isdigit() else ""
        assert title == f"{row['movie_title']}{year}"


def test_tags_are_shares_of_genres_and_embeddings_are_of_every_item(
    source: str, files: list[Path]
) -> None:
    result = read(files[0].parent, source)
    genres = frame_of(files[1])[EDITIONS[source][1]].str.split().to_dict()
    names = sorted({name for of_item in genres.values() for name in of_item})
    tags = result.item_tags.toarray()
    for row, item_id in enumerate(result.items["item_id"].to_pylist()):
        share = np.float32(1 / len(genres[item_id]))
        assert tags[row].tolist() == [share * (name in genres[item_id]) for name in names]
    assert result.item_embeddings.shape == (len(tags), 32)
    assert result.item_embeddings.dtype == np.float32
    assert np.isfinite(result.item_embeddings).all()


def test_what_100k_lacks_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    movielens_like.write(tmp_path, stem="ml-100k")
    assert read(tmp_path, "movielens-100k").items["release_year"].null_count == 2
    out = capsys.readouterr().out
    for line in (
        "3 rows repeat an earlier item; only the first row counts",
        "release_year is not a number in 2 of 153 rows",
    ):
        assert f"{tmp_path}/ml-100k.item: {line}\n" in out


def test_neither_order_nor_type_of_times_changes_a_table(tmp_path: Path) -> None:
    movielens_like.write(tmp_path)
    ratings = movielens_like.read_ratings(tmp_path / RATINGS)
    ratings["timestamp"] = 978_300_000 + np.arange(len(ratings))  # all distinct
    movielens_like.write_ratings(tmp_path / RATINGS, ratings)
    expected = read(tmp_path)
    ratings = ratings.astype({"timestamp": float}).sample(frac=1, random_state=0)
    movielens_like.write_ratings(tmp_path / RATINGS, ratings)
    for name in ("interactions", "users", "items"):
        assert getattr(read(tmp_path), name).equals(getattr(expected, name))


# --- dirt


def lines_of(path: Path) -> list[list[str]]:
    """Return the fields of every line, header first."""
    return [line.split("\t") for line in path.read_text().splitlines()]


def write_lines(path: Path, lines: list[list[str]]) -> None:
    path.write_text("".join("\t".join(fields) + "\n" for fields in lines))


@pytest.fixture
def dirty(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the data set with one field of some rows, all by default, changed."""
    movielens_like.write(tmp_path)

    def change(name: str, column: int, value: str, rows: slice = slice(1, None)) -> Path:
        lines = lines_of(tmp_path / name)
        for fields in lines[rows]:
            fields[column] = value
        write_lines(tmp_path / name, lines)
        return tmp_path

    return change


@pytest.mark.parametrize(
    ("name", "column", "line"),
    [
        (RATINGS, 0, ""),
        (RATINGS, 2, "row 5: rating is 'many'; must be a number"),
        (RATINGS, 3, "row 5: timestamp is 'many'; must be a number of seconds since 1970"),
        (ITEMS, 1, ""),
        (ITEMS, 3, ""),
        (USERS, 1, "row 5: age is 'many'; must be a number"),
    ],
)
def test_a_column_that_is_absent_or_no_number(
    dirty: Callable[..., Path], name: str, column: int, line: str
) -> None:
    path = dirty(name, column, "many", slice(5, 7)) / name
    if line:
        assert line_of(path.parent) == f"{path}: {line}"
    cells = lines_of(path)
    write_lines(path, [[*row[:column], *row[column + 1 :]] for row in cells])
    assert line_of(path.parent).startswith(f"{path}: no column {cells[0][column].split(':')[0]}")


def test_files_as_windows_writes_them(tmp_path: Path) -> None:
    """Files have a byte order mark and Windows line ends."""
    movielens_like.write(tmp_path)
    expected = read(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(tmp_path).interactions.equals(expected.interactions)
    assert read(tmp_path).items.equals(expected.items)


def test_headers_with_other_columns(tmp_path: Path) -> None:
    """A column without a type, a hyphen in a name, a blank at the end of the header."""
    movielens_like.write(tmp_path)
    expected = read(tmp_path)
    users, items = (tmp_path / name for name in (USERS, ITEMS))
    header = users.read_text().replace("zip_code:token", "zip-code:token\tnote ", 1)
    head, *rows = header.splitlines()
    users.write_text("\n".join([head, *(f"{row}\tx" for row in rows)]))
    items.write_text(items.read_text().replace("genre:token", "genre:token ", 1))
    result = read(tmp_path)
    assert result.users.equals(expected.users)
    assert result.items.equals(expected.items)


def test_users_and_items_without_a_row_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Only their ids are known."""
    movielens_like.write(tmp_path)
    without = {}
    for name in (USERS, ITEMS):
        lines = lines_of(tmp_path / name)
        without[name] = [fields[0] for fields in lines[-3:]]
        write_lines(tmp_path / name, lines[:-3])
    result = read(tmp_path)
    out = capsys.readouterr().out
    assert f"{tmp_path / USERS}: no row for 3 of 200 users\n" in out
    assert f"{tmp_path / ITEMS}: no row for 3 of 150 items\n" in out
    users, items = result.users.to_pandas(), result.items.to_pandas()
    is_unknown = items["item_id"].isin(without[ITEMS]).to_numpy()
    for frame, rows in ((users, users["user_id"].isin(without[USERS])), (items, is_unknown)):
        assert (frame[frame.columns[1:]].isna().all(axis=1) == rows).all()
    assert (np.isnan(result.item_embeddings).all(axis=1) == is_unknown).all()
    assert (np.diff(result.item_tags.indptr) == 0).tolist() == is_unknown.tolist()
    titles = np.array(result.item_titles.to_pylist())
    assert (titles[is_unknown] == items["item_id"][is_unknown]).all()


@pytest.mark.parametrize(
    ("changes", "n_dimensions"),
    [({1: ""}, 7), ({1: "the of and"}, 7), ({1: "Film", 3: "Drama"}, 1), ({1: "", 3: ""}, None)],
)
@pytest.mark.filterwarnings("error")
def test_embeddings_of_few_words(
    dirty: Callable[..., Path], changes: dict[int, str], n_dimensions: int | None
) -> None:
    """Eight genres give seven dimensions, the rest is 0; alike films cause no warning of a library;
    and without a word there is no embedding.
    """
    for column, texts in changes.items():
        folder = dirty(ITEMS, column, texts)
    result = read(folder).item_embeddings
    assert result.shape == (150, 32)
    if n_dimensions is None:
        assert np.isnan(result).all()
    else:
        assert np.isfinite(result).all()
        assert result[:, :n_dimensions].any(axis=1).all()
        assert not result[:, n_dimensions:].any()
