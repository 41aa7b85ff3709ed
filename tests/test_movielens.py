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
from readers.movielens_files import EDITIONS, Edition
from readers.params import ReaderParams
from test_params import VALUES

STAGES = Path(movielens.__file__).parents[1]
TABLE = VALUES["data"]["table"]


def read(folder: Path, source: str, positive: str = "rating >= 4") -> Tables:
    return READERS[source](params_of(folder, source, positive))


def params_of(folder: Path, source: str, positive: str = "rating >= 4") -> ReaderParams:
    values = {"subsample": "", "embedding_width": 0, "download": False, "table": TABLE}
    return ReaderParams(source=source, path=str(folder), positive=positive, **values)


@pytest.fixture(scope="module", params=EDITIONS)
def source(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def edition(source: str) -> Edition:
    return EDITIONS[source]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, edition: Edition) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    movielens_like.write(folder, stem=edition.stem)
    return folder


def frame_of(path: Path) -> pd.DataFrame:
    """The file as text, the first row of each id, which is the index."""
    frame = pd.read_csv(path, sep="\t", quoting=3, dtype=str)
    frame = frame.rename(columns=lambda column: column.split(":")[0])
    name = frame.columns[0]
    return frame.drop_duplicates(name).set_index(name)


def test_interactions_are_the_ratings_in_order_of_time(folder: Path, source: str) -> None:
    result = read(folder, source, "rating >= 4 or rating == 1 and age > 0")
    items = frame_of(folder / EDITIONS[source].files[1])
    ratings = movielens_like.read_ratings(folder / EDITIONS[source].files[0])
    ratings = ratings.sort_values("timestamp", kind="stable")
    log = result.interactions.to_pandas()
    assert (result.users["user_id"].to_numpy()[log["user"]] == ratings["user_id"]).all()
    assert (result.items["item_id"].to_numpy()[log["item"]] == ratings["item_id"]).all()
    assert (log["is_positive"].to_numpy() == ratings["rating"].isin([1, 4, 5])).all()
    strength = ratings["rating"].map({1: 1, 2: 0, 3: 0, 4: 1, 5: 2})
    assert (log["strength"].to_numpy() == strength).all()
    titles = dict(
        zip(result.items["item_id"].to_pylist(), result.item_titles.to_pylist(), strict=True)
    )
    for item_id, title in titles.items():
        row = items.loc[item_id]
        year = f" ({row['release_year']})" if str(row["release_year"]).isdigit() else ""
        assert title == f"{row['movie_title']}{year}"
    assert log.dtypes.astype(str).tolist() == ["int32", "int32", "bool", "uint8", "int64"]


def test_users_and_items_are_ascending_with_their_own_columns(folder: Path, source: str) -> None:
    result = read(folder, source)
    _, items, users = EDITIONS[source].files
    for table, name, file in ((result.users, "user_id", users), (result.items, "item_id", items)):
        ids = table[name].to_pylist()
        assert ids == sorted(ids, key=str.encode)
        frame = frame_of(folder / file).loc[ids]
        for column in set(table.column_names) - {name}:
            values = table[column].to_pandas()
            expected = frame[column]
            if values.dtype == np.float32:
                expected = pd.to_numeric(expected, errors="coerce").astype(np.float32)
            np.testing.assert_array_equal(values.to_numpy(), expected.to_numpy())


def test_tags_are_shares_of_genres_and_embeddings_are_of_every_item(
    folder: Path, source: str
) -> None:
    result = read(folder, source)
    edition = EDITIONS[source]
    genres = frame_of(folder / edition.files[1])[edition.genres].str.split().to_dict()
    names = sorted({name for of_item in genres.values() for name in of_item})
    tags = result.item_tags.toarray()
    for row, item_id in enumerate(result.items["item_id"].to_pylist()):
        share = np.float32(1 / len(genres[item_id]))
        assert tags[row].tolist() == [share * (name in genres[item_id]) for name in names]
    assert result.item_embeddings.shape == (len(tags), 32)
    assert result.item_embeddings.dtype == np.float32
    assert np.isfinite(result.item_embeddings).all()


def test_what_100k_lacks_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two films without a year, three that stand twice."""
    movielens_like.write(tmp_path, stem="ml-100k")
    assert read(tmp_path, "movielens-100k").items["release_year"].null_count == 2
    out = capsys.readouterr().out
    assert (
        f"{tmp_path}/ml-100k.item: 3 rows repeat an earlier item; only the first row counts\n"
        in out
    )
    assert "release_year is unknown for 2 of 150 items\n" in out


RATINGS, ITEMS, USERS = EDITIONS["movielens-1m"].files


def test_neither_order_nor_unit_changes_a_table(tmp_path: Path) -> None:
    movielens_like.write(tmp_path)
    ratings = movielens_like.read_ratings(tmp_path / RATINGS).sort_values(
        "timestamp", kind="stable"
    )
    tables = []
    for unit in (1, 1.0, 10**3, 10**9):  # of times that are all distinct
        time = (978_300_000 + np.arange(len(ratings))) * unit
        other = ratings.assign(timestamp=time).sample(frac=1, random_state=len(tables))
        movielens_like.write_ratings(tmp_path / RATINGS, other)
        tables.append(read(tmp_path, "movielens-1m"))
    assert (np.diff(tables[0].interactions["timestamp"]) == 1).all()
    for name in ("interactions", "users", "items"):
        assert all(getattr(of, name).equals(getattr(tables[0], name)) for of in tables)


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


def line_of(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        read(folder, "movielens-1m")
    assert "\n" not in str(error.value)
    return str(error.value)


COLUMNS = [(RATINGS, 0), (RATINGS, 2), (RATINGS, 3), (ITEMS, 1), (ITEMS, 3), (USERS, 1)]


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_a_column_that_is_absent_or_no_number(
    dirty: Callable[..., Path], name: str, column: int
) -> None:
    folder = dirty(name, column, "many", slice(5, 7))
    if (name, column) in ((RATINGS, 2), (RATINGS, 3), (USERS, 1)):
        assert line_of(folder).startswith(f"{folder / name}: ")
    cells = lines_of(folder / name)
    write_lines(folder / name, [[*row[:column], *row[column + 1 :]] for row in cells])
    assert line_of(folder).startswith(
        f"{folder / name}: no column {cells[0][column].split(':')[0]}"
    )
    (folder / name).write_bytes(b"\t".join([b"\xe9"] * len(cells[0])))
    assert line_of(folder).startswith(f"{folder / name}: ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nan", "rating is missing in 2 of 12,000 rows"),
        ("-1", "rating is not from 0 to 5 in 2 rows"),
    ],
)
def test_an_odd_rating_is_counted(
    dirty: Callable[..., Path], value: str, expected: str, capsys: pytest.CaptureFixture
) -> None:
    folder = dirty(RATINGS, 2, value, slice(5, 7))
    log = read(folder, "movielens-1m", "rating >= 4 or rating < 4").interactions
    n_missing = np.count_nonzero(~log["is_positive"].to_numpy())
    assert n_missing == (2 if "missing" in expected else 0)
    assert f"{folder / RATINGS}: {expected}\n" in capsys.readouterr().out


def test_files_as_windows_writes_them(tmp_path: Path) -> None:
    """Files have a byte order mark and Windows line ends."""
    movielens_like.write(tmp_path)
    expected = read(tmp_path, "movielens-1m")
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    result = read(tmp_path, "movielens-1m")
    for table in ("interactions", "users", "items"):
        assert getattr(result, table).equals(getattr(expected, table))


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
    result = read(tmp_path, "movielens-1m")
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
    result = read(folder, "movielens-1m").item_embeddings
    assert result.shape == (150, 32)
    if n_dimensions is None:
        assert np.isnan(result).all()
    else:
        assert np.isfinite(result).all()
        assert result[:, :n_dimensions].any(axis=1).all()
        assert not result[:, n_dimensions:].any()
