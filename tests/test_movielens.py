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
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tables, list[Path]]:
    """The tables of an edition, and its files of ratings, items and users."""
    folder, source = tmp_path_factory.mktemp("ml"), request.param
    movielens_like.write(folder, stem=EDITIONS[source][0])
    result = read(folder, source, "rating >= 4 or rating == 1 and age > 0")
    return result, movielens.files_of(params_of(folder, source), folder)


def frame_of(path: Path) -> pd.DataFrame:
    """The file as text, the first row of each id, which is the index."""
    frame = movielens_like.read_ratings(path, str)
    name = frame.columns[0]
    return frame.drop_duplicates(name).set_index(name)


def test_interactions_are_the_ratings_in_order_of_time(both: tuple[Tables, list[Path]]) -> None:
    result, files = both
    ratings = movielens_like.read_ratings(files[0]).sort_values("timestamp", kind="stable")
    log = result.interactions.to_pandas()
    assert (result.users["user_id"].to_numpy()[log["user"]] == ratings["user_id"]).all()
    assert (result.items["item_id"].to_numpy()[log["item"]] == ratings["item_id"]).all()
    assert (log["is_positive"].to_numpy() == ratings["rating"].isin([1, 4, 5])).all()
    strength = ratings["rating"].map({1: 1, 2: 0, 3: 0, 4: 1, 5: 2})
    assert (log["strength"].to_numpy() == strength).all()
    assert log.dtypes.astype(str).tolist() == ["int32", "int32", "bool", "uint8", "int64"]


def test_users_and_items_are_ascending_with_their_own_columns(
    both: tuple[Tables, list[Path]],
) -> None:
    """Tags are shares of genres; every item has an embedding."""
    result, (_, items, users) = both
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
    genres = frame.iloc[:, -1].str.split()
    names = sorted(set(genres.sum()))
    titles = result.item_titles.to_pylist()
    rows = zip(titles, result.item_tags.toarray(), genres, frame.itertuples(), strict=True)
    for title, tags, own, row in rows:
        year = f" ({row.release_year})" if row.release_year.isdigit() else ""
        assert title == f"{row.movie_title}{year}"
        assert tags.tolist() == [np.float32(1 / len(own)) * (name in own) for name in names]
    assert result.item_embeddings.shape == (len(ids), 32)
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


def test_an_unknown_column_of_the_rule_and_an_infinite_number(dirty: Callable[..., Path]) -> None:
    line = line_of(dirty(USERS, 1, "3"), "movielens-1m", "ages > 3")
    assert line.endswith("no column ages; the columns are rating, timestamp, age, release_year")
    assert line_of(dirty(USERS, 1, "inf", slice(5, 7))).endswith(
        "row 5, and 1 more rows: age is 'inf'; must be a finite number, or empty"
    )


def test_headers_with_other_columns(tmp_path: Path) -> None:
    """A column without a type, a hyphen in a name, blanks after types."""
    movielens_like.write(tmp_path)
    expected, path = read(tmp_path), tmp_path / USERS
    header, *rows = path.read_text().splitlines()
    header = f"note\t{header}".replace("zip_code", "zip-code").replace(":float", ":float ")
    path.write_text("\n".join([header, *(f"x\t{row}" for row in rows)]))
    assert read(tmp_path).users.equals(expected.users)


def test_items_without_a_row_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    movielens_like.write(tmp_path)
    lines = lines_of(tmp_path / ITEMS)
    write_lines(tmp_path / ITEMS, lines[:-3])
    result = read(tmp_path)
    assert f"{tmp_path / ITEMS}: no row for 3 of 150 items\n" in capsys.readouterr().out
    items = result.items.to_pandas()
    is_unknown = items["item_id"].isin([fields[0] for fields in lines[-3:]]).to_numpy()
    assert (items["release_year"].isna() == is_unknown).all()
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
