"""Reads MovieLens, as RecBole writes it, into the tables of core/tables.py.

    NAME.inter   user_id, item_id, rating, timestamp
    NAME.item    item_id, movie_title, release_year, genre (names separated by blanks)
    NAME.user    user_id, age, gender, occupation

NAME is ml-1m or ml-100k. ml-100k.item has the genres in the column `class`; two of its films have
no year, and 18 occur twice, so the first row counts. Rows are sorted by timestamp; ties keep the
order of the file. Embeddings have 32 dimensions, made from title words and genres (TF-IDF,
truncated SVD) of the whole catalogue, so they do not depend on interactions.

sklearn is imported where it is used, because it takes 1.5 s to load.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from scipy import sparse

from readers import movielens_files
from readers.ids import Ids, check_no_null, distinct, places_of
from readers.movielens_files import EDITIONS
from readers.params import ReaderParams
from readers.parquet import check_finite, check_not_pointer, check_present, reading
from readers.positive_rule import Rule, report_unknown, values
from readers.time_order import TIMESTAMP, in_time_order

FETCHER = movielens_files
RATING_COLUMNS = ("user_id", "item_id", "rating", TIMESTAMP)
ITEM_COLUMNS = ("item_id", "movie_title", "release_year")  # not all years of 100K are numbers
USER_COLUMNS = ("user_id", "age", "gender", "occupation")
NUMBERS = ("rating", "age")  # the others are read as text
MOST_STARS = 5
EMBEDDING_WIDTH = 32
STRENGTH_COLUMNS = ("rating",)
TIME = TIMESTAMP


def read(data: ReaderParams) -> Tables:
    """Return the tables of the folder. Raises InputError if a file is missing or invalid."""
    ratings = _read_ratings(Path(data.path) / EDITIONS[data.source].files[0])
    user_ids, item_ids = (distinct(ratings[column]) for column in ("user_id", "item_id"))
    tables = with_metadata(pa.table({}), user_ids, item_ids, data)
    user = pc.index_in(ratings["user_id"], user_ids)
    item = pc.index_in(ratings["item_id"], item_ids)
    metadata = (tables.users, user.to_numpy()), (tables.items, item.to_numpy())
    feedback = ratings.select(["rating", TIMESTAMP])
    is_positive, n_unknown = Rule.parse(data.positive).judge(feedback, *metadata)
    del n_unknown["rating"]  # which _read_ratings reports
    report_unknown(n_unknown)
    interactions = {
        "user": user,
        "item": item,
        "is_positive": is_positive,
        "strength": strength(is_positive, ratings),
        TIMESTAMP: ratings[TIMESTAMP],
    }
    return replace(tables, interactions=pa.table(interactions))


def with_metadata(
    interactions: pa.Table, user_ids: pa.Array, item_ids: pa.Array, data: ReaderParams
) -> Tables:
    """Add the metadata of the users and items that occur in the interactions."""
    edition = EDITIONS[data.source]
    _, of_items, of_users = (Path(data.path) / name for name in edition.files)
    items = _read_distinct(of_items, [*ITEM_COLUMNS, edition.genres])
    items = items.rename_columns([*ITEM_COLUMNS, "genre"])
    users = _read_distinct(of_users, USER_COLUMNS)
    check_finite(users["age"], f"{of_users}: age")
    user_rows = places_of(Ids(user_ids), users["user_id"], of_users, "user_id")
    item_rows = places_of(Ids(item_ids), items["item_id"], of_items, "item_id")
    place = item_rows.fill_null(len(items)).to_numpy()  # the row after the last item stays empty
    years = _years(items["release_year"])
    columns = {
        "user_id": user_ids,
        "age": users["age"].take(user_rows),
        "gender": _category(users["gender"]).take(user_rows),
        "occupation": _category(users["occupation"]).take(user_rows),
    }
    return Tables(
        interactions,
        pa.table(columns),
        pa.table({"item_id": item_ids, "release_year": years.take(item_rows)}),
        tags_of(items["genre"])[place],
        embeddings_of(items["movie_title"], items["genre"])[place],
        pc.coalesce(_titles(items, years).take(item_rows), item_ids),
    )


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """Return strength, uint8 (n_rows,): 0 if not positive, 2 for 5 stars, 1 for other positives."""
    stars, _ = values(feedback["rating"])
    return np.where(is_positive, np.clip(stars.astype(np.float32) - 3, 1, 4), 0).astype(np.uint8)


def _titles(items: pa.Table, years: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return titles with the year if it is known, such as `Heat (1995)`, string (n_items,)."""
    year = years.cast(pa.string())
    with_year = pc.binary_join_element_wise(items["movie_title"], " (", year, ")", "")
    return pc.coalesce(with_year, items["movie_title"])


def _years(year: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return release_year, float32 (n_items,), null if it is not a number. Prints how many."""
    is_number = pc.fill_null(pc.match_substring_regex(year, r"^\d{1,4}(\.\d+)?$"), False)
    if n_unknown := pc.sum(pc.invert(is_number)).as_py():
        report(f"release_year is unknown for {n_unknown:,} of {len(year):,} items")
    return pc.if_else(is_number, year, None).cast(pa.float32())


def _read_ratings(path: Path) -> pa.Table:
    """Return the ratings in time order. Raises InputError if a user, item or time is missing."""
    ratings = _read(path, RATING_COLUMNS)
    for name in ("user_id", "item_id"):
        check_no_null(ratings[name], f"{path}: {name}")
    check_finite(ratings["rating"], f"{path}: rating")
    stars, is_missing = values(ratings["rating"])
    if n_missing := np.count_nonzero(is_missing):
        report(f"{path}: rating is missing in {n_missing:,} of {len(stars):,} rows")
    if n_others := np.count_nonzero(~is_missing & ((stars < 0) | (stars > MOST_STARS))):
        report(f"{path}: rating is not from 0 to {MOST_STARS} in {n_others:,} rows")
    return in_time_order(ratings, path)


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read columns of a RecBole file: separated by tabs, header of `name:type`, no quotes."""
    with reading(path, "RecBole", pa.ArrowInvalid, UnicodeDecodeError):
        check_not_pointer(path)
        with path.open(encoding="utf-8-sig") as file:
            names = [name.split(":")[0] for name in file.readline().rstrip("\n").split("\t")]
        check_present(path, columns, names)
        table = csv.read_csv(
            path,
            csv.ReadOptions(column_names=names, skip_rows=1),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(
                column_types={of: pa.float32() if of in NUMBERS else pa.string() for of in columns},
                include_columns=columns,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    if not len(table):
        raise InputError(f"{path}: has only a header; rows are needed")
    return table


def _read_distinct(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read a file and keep the first row of each id (first column). Prints the number of others."""
    table = _read(path, columns)
    name = table.column_names[0]
    check_no_null(table[name], f"{path}: {name}")
    first = pc.index_in(table[name].unique(), table[name])
    if n_more := table.num_rows - len(first):
        what = name.removesuffix("_id")
        report(f"{path}: {n_more:,} rows repeat an earlier {what}; only the first row counts")
    return table.take(first)


def _category(values: pa.ChunkedArray) -> pa.DictionaryArray:
    levels = distinct(values.drop_null())
    return pa.DictionaryArray.from_arrays(pc.index_in(values.combine_chunks(), levels), levels)


def tags_of(genres: pa.ChunkedArray) -> sparse.csr_array:
    """Return the genres of the items, float32 CSR (n_items + 1, n_genres); the last row is empty.

    Each genre of an item has the value 1 / number of its genres. In `genres`, blanks separate
    names.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=r"\S+", lowercase=False, dtype=np.float32)
    counts = _counted(vectorizer.fit_transform, genres)
    n_genres = np.maximum(counts.sum(axis=1).A1, 1)
    shares = sparse.diags_array(1 / n_genres) @ counts
    empty = sparse.csr_matrix((1, counts.shape[1]), dtype=np.float32)
    return sparse.csr_array(sparse.vstack([shares, empty]))


def _counted(fit: Callable, texts: pa.ChunkedArray) -> sparse.csr_matrix:
    """Return the word counts or weights of each text, CSR (n_texts, n_words).

    fit  the method fit_transform of a vectorizer
    """
    texts = texts.fill_null("").to_pylist()
    try:
        return fit(texts)
    except ValueError:  # the vocabulary is empty
        return sparse.csr_matrix((len(texts), 0), dtype=np.float32)


def embeddings_of(titles: pa.ChunkedArray, genres: pa.ChunkedArray) -> np.ndarray:
    """Return item embeddings, float32 (n_items + 1, 32): truncated SVD of TF-IDF weights.

    The texts are title words and genres. Columns beyond the rank are 0. An item without words and
    the last row are NaN.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    of_titles = TfidfVectorizer(stop_words="english", min_df=2).fit_transform
    of_genres = TfidfVectorizer(token_pattern=r"\S+").fit_transform
    words = sparse.hstack([_counted(of_titles, titles), _counted(of_genres, genres)]).tocsr()
    width = max(0, min(EMBEDDING_WIDTH, min(words.shape) - 1))
    embeddings = np.zeros((len(titles) + 1, EMBEDDING_WIDTH), dtype=np.float32)
    if width:
        svd = TruncatedSVD(width, algorithm="arpack", random_state=0)
        with np.errstate(divide="ignore", invalid="ignore"):  # the variance is 0 if all are equal
            embeddings[:-1, :width] = svd.fit_transform(words)
    is_empty = np.append(np.diff(words.indptr) == 0, True)
    embeddings[is_empty] = np.nan
    if n_empty := np.count_nonzero(is_empty[:-1]):
        report(f"{n_empty:,} items have no title word and no genre, so they have no embedding")
    return embeddings
