"""Reads MovieLens-1M, as RecBole writes it, into the tables of folds/tables.py.

    ml-1m.inter   user_id, item_id, rating, timestamp
    ml-1m.item    item_id, movie_title, release_year, genre (names with blanks between)
    ml-1m.user    user_id, age, gender, occupation

Time is the timestamp, ties in file order. The data has no embeddings: 32 dimensions are made of
title words and genres (TF-IDF, truncated SVD) over the whole catalogue, so they depend on no
interaction.

sklearn is imported where it is used: it takes 1.5 s to load, and `download` and the other readers,
which load this module too, need none of it.
"""

from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from scipy import sparse

from folds.tables import Tables
from readers.params import ReaderParams
from readers.positive_rule import Rule

RATINGS, ITEMS, USERS = FILES = ("ml-1m.inter", "ml-1m.item", "ml-1m.user")
RATING_COLUMNS = {
    "user_id": pa.string(),
    "item_id": pa.string(),
    "rating": pa.float32(),
    "timestamp": pa.int64(),
}
ITEM_COLUMNS = {
    "item_id": pa.string(),
    "movie_title": pa.string(),
    "release_year": pa.float32(),
    "genre": pa.string(),
}
USER_COLUMNS = {
    "user_id": pa.string(),
    "age": pa.float32(),
    "gender": pa.string(),
    "occupation": pa.string(),
}
EMBEDDING_WIDTH = 32


def read(data: ReaderParams) -> Tables:
    """The tables of the folder data.path; InputError where a file is missing or not in the expected
    layout.
    """
    folder = Path(data.path)
    ratings = _read(folder / RATINGS, RATING_COLUMNS)
    items = _read(folder / ITEMS, ITEM_COLUMNS)
    users = _read(folder / USERS, USER_COLUMNS)
    ratings = ratings.take(np.argsort(ratings["timestamp"].to_numpy(), kind="stable"))
    user_ids, item_ids = (_distinct(ratings[column]) for column in ("user_id", "item_id"))
    is_positive = Rule.parse(data.positive).evaluate(ratings.select(["rating", "timestamp"]))
    interactions = {
        "user": pc.index_in(ratings["user_id"], user_ids),
        "item": pc.index_in(ratings["item_id"], item_ids),
        "is_positive": is_positive,
        "strength": _strength(ratings["rating"].to_numpy(), is_positive),
    }
    item_rows = pc.index_in(item_ids, items["item_id"])
    return Tables(
        pa.table(interactions),
        _user_table(users.take(pc.index_in(user_ids, users["user_id"])), user_ids),
        pa.table({"item_id": item_ids, "release_year": items["release_year"].take(item_rows)}),
        sparse.csr_array(_genres(items)[item_rows.to_numpy()]),
        _embeddings(items)[item_rows.to_numpy()],
    )


def _strength(stars: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, 2 for 5 stars, else 1."""
    return np.where(is_positive, np.clip(stars - 3, 1, 4), 0).astype(np.uint8)


def _user_table(users: pa.Table, user_ids: pa.Array) -> pa.Table:
    """data/users.parquet of the rows of ml-1m.user that belong to the ids, in their order."""
    return pa.table(
        {
            "user_id": user_ids,
            "age": users["age"],
            "gender": _category(users["gender"]),
            "occupation": _category(users["occupation"]),
        }
    )


def _read(path: Path, columns: dict[str, pa.DataType]) -> pa.Table:
    """The named columns of one RecBole file: tab separated, `name:type` in the header, no
    quoting.
    """
    if not path.exists():
        raise InputError(
            f"{path}: not found; data.source movielens-1m reads {RATINGS}, {ITEMS} and {USERS} in"
            f" {path.parent}"
        )
    try:
        with path.open(encoding="utf-8") as file:
            names = [name.split(":")[0] for name in file.readline().rstrip("\n").split("\t")]
        return csv.read_csv(
            path,
            csv.ReadOptions(column_names=names, skip_rows=1),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=columns, include_columns=list(columns)),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: {' '.join(str(error).split())}; columns {', '.join(columns)} are needed"
        ) from None


def _distinct(ids: pa.ChunkedArray) -> pa.Array:
    distinct = ids.unique()
    return distinct.take(pc.sort_indices(distinct))


def _category(values: pa.ChunkedArray) -> pa.DictionaryArray:
    levels = _distinct(values.drop_null())
    return pa.DictionaryArray.from_arrays(pc.index_in(values.combine_chunks(), levels), levels)


def _genres(items: pa.Table) -> sparse.csr_matrix:
    """float32 (n_items, n_genres): 1 / number of genres for each genre of the item."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=r"\S+", lowercase=False, dtype=np.float32)
    counts = vectorizer.fit_transform(items["genre"].to_pylist())
    return sparse.diags_array(1 / counts.sum(axis=1).A1) @ counts


def _embeddings(items: pa.Table) -> np.ndarray:
    """float32 (n_items, 32): truncated SVD of the TF-IDF of title words and genres."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    titles = TfidfVectorizer(stop_words="english", min_df=2).fit_transform(
        items["movie_title"].to_pylist()
    )
    genres = TfidfVectorizer(token_pattern=r"\S+").fit_transform(items["genre"].to_pylist())
    factors = TruncatedSVD(EMBEDDING_WIDTH, algorithm="arpack", random_state=0).fit_transform(
        sparse.hstack([titles, genres]).tocsr()
    )
    return np.ascontiguousarray(factors, dtype=np.float32)
