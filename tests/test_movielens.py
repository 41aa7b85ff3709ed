"""The files of MovieLens-1M: what they become, and a line for a bad one."""

import subprocess
import sys
from pathlib import Path

from harness.script import InputError

import numpy as np
import pandas as pd
import pytest

import movielens_like
from folds.tables import Tables
from readers import movielens
from readers.params import ReaderParams

STAGES = Path(movielens.__file__).parents[1]


def read(folder: Path, positive: str = "rating >= 4") -> Tables:
    return movielens.read(
        ReaderParams(
            source="movielens-1m",
            path=str(folder),
            positive=positive,
            subsample="",
            embedding_width=0,
            download=False,
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    movielens_like.write(folder)
    return folder


def test_interactions_are_the_ratings_in_order_of_time(folder: Path) -> None:
    result = read(folder, "rating >= 4 or rating == 1")
    ratings = movielens_like.read_ratings(folder / "ml-1m.inter")
    ratings = ratings.sort_values("timestamp", kind="stable")
    log = result.interactions.to_pandas()
    assert (result.users["user_id"].to_numpy()[log["user"]] == ratings["user_id"]).all()
    assert (result.items["item_id"].to_numpy()[log["item"]] == ratings["item_id"]).all()
    assert (log["is_positive"].to_numpy() == ratings["rating"].isin([1, 4, 5])).all()
    strength = ratings["rating"].map({1: 1, 2: 0, 3: 0, 4: 1, 5: 2})
    assert (log["strength"].to_numpy() == strength).all()
    assert log.dtypes.astype(str).tolist() == ["int32", "int32", "bool", "uint8"]


def test_users_and_items_are_ascending_with_their_own_columns(folder: Path) -> None:
    result = read(folder)
    for table, name, file in (
        (result.users, "user_id", "ml-1m.user"),
        (result.items, "item_id", "ml-1m.item"),
    ):
        frame = pd.read_csv(folder / file, sep="\t", quoting=3, dtype=str)
        frame = frame.rename(columns=lambda column: column.split(":")[0]).set_index(name)
        ids = table[name].to_pylist()
        assert ids == sorted(ids, key=str.encode)
        for column in set(table.column_names) - {name}:
            values = table[column].to_pandas()
            expected = frame.loc[ids, column].to_numpy()
            if values.dtype == np.float32:
                expected = expected.astype(np.float32)
            assert (values.to_numpy() == expected).all()


def test_tags_are_shares_of_genres_and_embeddings_are_of_every_item(folder: Path) -> None:
    result = read(folder)
    items = pd.read_csv(folder / "ml-1m.item", sep="\t", quoting=3)
    genres = dict(zip(items["item_id:token"], items["genre:token"].str.split(), strict=True))
    names = sorted({name for of_item in genres.values() for name in of_item})
    tags = result.item_tags.toarray()
    for row, item_id in enumerate(result.items["item_id"].to_pylist()):
        share = np.float32(1 / len(genres[item_id]))
        assert tags[row].tolist() == [share * (name in genres[item_id]) for name in names]
    assert result.item_embeddings.shape == (len(tags), 32)
    assert result.item_embeddings.dtype == np.float32
    assert np.isfinite(result.item_embeddings).all()


@pytest.mark.parametrize("name", ["ml-1m.inter", "ml-1m.item", "ml-1m.user"])
def test_a_missing_or_foreign_file_is_one_line(tmp_path: Path, name: str) -> None:
    movielens_like.write(tmp_path)
    path = tmp_path / name
    path.write_text("a:token\tb:float\nx\t1\n")
    with pytest.raises(InputError, match="columns [a-z_]+_id, .* are needed") as error:
        read(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    path.unlink()
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert str(error.value) == (
        f"{path}: not found; data.source movielens-1m reads ml-1m.inter, ml-1m.item and ml-1m.user"
        f" in {tmp_path}"
    )


def test_the_registry_loads_neither_sklearn_nor_pandas() -> None:
    code = "import readers, sys; assert not sys.modules.keys() & {'sklearn', 'pandas'}"
    subprocess.run([sys.executable, "-c", code], cwd=STAGES, check=True)
