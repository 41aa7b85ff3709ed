"""The files of MovieLens: what they become, and a line for a bad one."""

import shutil
import subprocess
import sys
from pathlib import Path

from harness.script import InputError

import numpy as np
import pandas as pd
import pytest

import movielens_like
from folds.tables import Tables
from readers import READERS, movielens
from readers.movielens import EDITIONS, Edition
from readers.params import ReaderParams

STAGES = Path(movielens.__file__).parents[1]


def read(folder: Path, source: str, positive: str = "rating >= 4") -> Tables:
    return READERS[source](params_of(folder, source, positive))


def params_of(folder: Path, source: str, positive: str = "rating >= 4") -> ReaderParams:
    values = {"subsample": "", "embedding_width": 0, "download": False}
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


def test_windows_start_with_their_first_timestamp(folder: Path, source: str) -> None:
    times = np.sort(pd.read_csv(folder / EDITIONS[source].files[0], sep="\t").iloc[:, 3])
    sizes = np.array([len(times) - 9, 0, 9])
    starts = movielens.window_starts(params_of(folder, source), sizes)
    assert starts.tolist() == [times[0], times[-9], times[-9]]  # the empty one starts with the next
    with pytest.raises(
        InputError, match=r"12,000 interactions, but 11,999 when the data was split"
    ):
        movielens.window_starts(params_of(folder, source), sizes - [1, 0, 0])


def test_titles_are_those_of_the_items(folder: Path, source: str, edition: Edition) -> None:
    """With the year where it is a number."""
    tables, items = read(folder, source), frame_of(folder / f"{edition.stem}.item")
    for item_id, title in zip(
        tables.items["item_id"].to_pylist(), tables.item_titles.to_pylist(), strict=True
    ):
        row = items.loc[item_id]
        year = f" ({row['release_year']})" if str(row["release_year"]).isdigit() else ""
        assert title == f"{row['movie_title']}{year}"


def test_interactions_are_the_ratings_in_order_of_time(folder: Path, source: str) -> None:
    result = read(folder, source, "rating >= 4 or rating == 1")
    ratings = movielens_like.read_ratings(folder / EDITIONS[source].files[0])
    ratings = ratings.sort_values("timestamp", kind="stable")
    log = result.interactions.to_pandas()
    assert (result.users["user_id"].to_numpy()[log["user"]] == ratings["user_id"]).all()
    assert (result.items["item_id"].to_numpy()[log["item"]] == ratings["item_id"]).all()
    assert (log["is_positive"].to_numpy() == ratings["rating"].isin([1, 4, 5])).all()
    strength = ratings["rating"].map({1: 1, 2: 0, 3: 0, 4: 1, 5: 2})
    assert (log["strength"].to_numpy() == strength).all()
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


def test_levels_and_embeddings_do_not_depend_on_who_is_in_the_log(
    folder: Path, source: str, edition: Edition, tmp_path: Path
) -> None:
    """They come of the files of users and items, which are fixed."""
    for name in edition.files[1:]:
        shutil.copy(folder / name, tmp_path / name)
    ratings = movielens_like.read_ratings(folder / edition.files[0])
    few = ratings[ratings["user_id"].isin(ratings["user_id"].unique()[:5])]
    movielens_like.write_ratings(tmp_path / edition.files[0], few)
    every, part = (read(one, source) for one in (folder, tmp_path))
    for name in ("gender", "occupation"):
        levels = [
            tables.users[name].combine_chunks().dictionary.to_pylist() for tables in (every, part)
        ]
        assert levels[0] == levels[1]
    kept = np.isin(every.items["item_id"].to_pylist(), part.items["item_id"].to_pylist())
    assert 0 < kept.sum() < len(kept)
    assert every.item_embeddings[kept].tobytes() == part.item_embeddings.tobytes()


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
    assert f"{tmp_path}/ml-100k.item: 3 more rows of the same item, left out\n" in out
    assert "release_year is not known of 2 of 150 items\n" in out
    movielens_like.write(tmp_path)
    read(tmp_path, "movielens-1m")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["inter", "item", "user"])
def test_a_missing_or_foreign_file_is_one_line(tmp_path: Path, source: str, kind: str) -> None:
    stem = EDITIONS[source].stem
    movielens_like.write(tmp_path, stem=stem)
    path = tmp_path / f"{stem}.{kind}"
    path.write_text("a:token\tb:float\nx\t1\n")
    with pytest.raises(InputError, match="columns [a-z_]+_id, .* are needed") as error:
        read(tmp_path, source)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    path.unlink()
    with pytest.raises(InputError) as error:
        read(tmp_path, source)
    assert str(error.value) == (
        f"{path}: not found; data.source {source} reads {stem}.inter, {stem}.item and {stem}.user"
        f" in {tmp_path}"
    )


def test_the_files_of_the_other_edition_are_not_taken(tmp_path: Path) -> None:
    movielens_like.write(tmp_path)
    with pytest.raises(InputError, match=r"ml-100k.inter: not found; data.source movielens-100k"):
        read(tmp_path, "movielens-100k")


def test_the_registry_loads_neither_sklearn_nor_pandas() -> None:
    code = "import readers, sys; assert not sys.modules.keys() & {'sklearn', 'pandas'}"
    subprocess.run([sys.executable, "-c", code], cwd=STAGES, check=True)
