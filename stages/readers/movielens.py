"""Reads MovieLens-1M (ml-1m.inter, ml-1m.item, ml-1m.user) into the four tables of tables.py.

Time is the timestamp, ties in file order. The data has no embeddings: 32 dimensions are made of
title words and genres (TF-IDF, truncated SVD) over the whole catalogue, so they depend on no
interaction.
"""

from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from folds.tables import Tables
from readers.params import Data
from readers.positive_rule import Rule

EMBEDDING_WIDTH = 32


def read(data: Data) -> Tables:
    """The tables of MovieLens-1M; InputError where a file is missing or not in the expected
    layout.
    """
    folder = Path(data.path)
    ratings = _read(
        folder / "ml-1m.inter",
        {
            "user_id": pa.string(),
            "item_id": pa.string(),
            "rating": pa.float32(),
            "timestamp": pa.int64(),
        },
    )
    items = _read(
        folder / "ml-1m.item",
        {
            "item_id": pa.string(),
            "movie_title": pa.string(),
            "release_year": pa.float32(),
            "genre": pa.string(),
        },
    )
    users = _read(
        folder / "ml-1m.user",
        {
            "user_id": pa.string(),
            "age": pa.float32(),
            "gender": pa.string(),
            "occupation": pa.string(),
        },
    )
    ratings = ratings.take(np.argsort(ratings["timestamp"].to_numpy(), kind="stable"))
    user_ids, item_ids = (_distinct(ratings[column]) for column in ("user_id", "item_id"))
    is_positive = Rule.parse(data.positive).evaluate(ratings.select(["rating", "timestamp"]))
    stars = ratings["rating"].to_numpy()
    strength = np.where(is_positive, np.clip(stars - 3, 1, 4), 0)  # 4 stars 1, 5 stars 2
    interactions = pa.table(
        {
            "user": pc.index_in(ratings["user_id"], user_ids),
            "item": pc.index_in(ratings["item_id"], item_ids),
            "is_positive": is_positive,
            "strength": strength.astype(np.uint8),
        }
    )
    rows = pc.index_in(item_ids, items["item_id"])
    tags = _genres(items)[rows.to_numpy()]
    embeddings = _embeddings(items)[rows.to_numpy()]
    users = users.take(pc.index_in(user_ids, users["user_id"]))
    user_columns = {
        "user_id": user_ids,
        "age": users["age"],
        "gender": _category(users["gender"]),
        "occupation": _category(users["occupation"]),
    }
    item_columns = {"item_id": item_ids, "release_year": items["release_year"].take(rows)}
    return Tables(
        interactions,
        pa.table(user_columns),
        pa.table(item_columns),
        sparse.csr_array(tags),
        embeddings,
    )


def _read(path: Path, columns: dict[str, pa.DataType]) -> pa.Table:
    """The named columns of one RecBole file: tab separated, `name:type` in the header, no
    quoting.
    """
    if not path.exists():
        raise InputError(
            f"{path}: not found; data.source movielens-1m reads ml-1m.inter, ml-1m.item and "
            f"ml-1m.user in {path.parent}"
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
    """float32 (n_items, 18): 1 / number of genres for each genre of the item."""
    counts = CountVectorizer(token_pattern=r"\S+", lowercase=False, dtype=np.float32).fit_transform(
        items["genre"].to_pylist()
    )
    return sparse.diags_array(1 / counts.sum(axis=1).A1) @ counts


def _embeddings(items: pa.Table) -> np.ndarray:
    """float32 (n_items, 32)."""
    titles = TfidfVectorizer(stop_words="english", min_df=2).fit_transform(
        items["movie_title"].to_pylist()
    )
    genres = TfidfVectorizer(token_pattern=r"\S+").fit_transform(items["genre"].to_pylist())
    factors = TruncatedSVD(EMBEDDING_WIDTH, algorithm="arpack", random_state=0).fit_transform(
        sparse.hstack([titles, genres]).tocsr()
    )
    return np.ascontiguousarray(factors, dtype=np.float32)
