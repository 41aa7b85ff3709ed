"""Reads MovieLens, as RecBole writes it, into the tables of folds/tables.py.

    NAME.inter   user_id, item_id, rating, timestamp
    NAME.item    item_id, movie_title, release_year, genre (names with blanks between)
    NAME.user    user_id, age, gender, occupation

NAME is ml-1m or ml-100k; in ml-100k.item the genres stand in the column `class`, two films have no
year, and 18 stand twice, of which the first row counts. Time is the timestamp, ties in file order.
The data has no embeddings: 32 dimensions are made of title words and genres (TF-IDF, truncated SVD)
over the whole catalogue, so they depend on no interaction. Fewer items or words give fewer of them,
and the others are 0.

sklearn is imported where it is used: it takes 1.5 s to load, and `download` and the other readers,
which load this module too, need none of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from scipy import sparse

from folds.tables import Tables
from readers.numbers import check_finite
from readers.params import ReaderParams
from readers.parquet import check_once
from readers.positive_rule import Rule, values


@dataclass(frozen=True)
class Edition:
    """One of the data sets of MovieLens.

    title  its name; stem  of its files; genres  the column of the items that names them
    """

    title: str
    stem: str
    genres: str

    @property
    def files(self) -> tuple[str, str, str]:
        """Of ratings, items and users."""
        return f"{self.stem}.inter", f"{self.stem}.item", f"{self.stem}.user"


EDITIONS = {  # data.source -> what it reads
    "movielens-1m": Edition("MovieLens-1M", "ml-1m", "genre"),
    "movielens-100k": Edition("MovieLens-100K", "ml-100k", "class"),
}
RATING_COLUMNS = {
    "user_id": pa.string(),
    "item_id": pa.string(),
    "rating": pa.float32(),
    "timestamp": pa.int64(),
}
ITEM_COLUMNS = {
    "item_id": pa.string(),
    "movie_title": pa.string(),
    "release_year": pa.string(),  # a number, but for some films of MovieLens-100K
}
USER_COLUMNS = {
    "user_id": pa.string(),
    "age": pa.float32(),
    "gender": pa.string(),
    "occupation": pa.string(),
}
MOST_STARS = 5
EMBEDDING_WIDTH = 32
STRENGTH_COLUMNS = ("rating",)
TIME = "timestamp"


def read(data: ReaderParams) -> Tables:
    """The tables of the folder data.path; InputError where a file is missing or not in the expected
    layout.
    """
    of_ratings = Path(data.path) / EDITIONS[data.source].files[0]
    ratings = _read_ratings(of_ratings, data)
    ratings = ratings.take(np.argsort(ratings["timestamp"].to_numpy(), kind="stable"))
    user_ids, item_ids = (_distinct(ratings[column]) for column in ("user_id", "item_id"))
    is_positive = Rule.parse(data.positive).evaluate(ratings.select(["rating", "timestamp"]))
    interactions = {
        "user": pc.index_in(ratings["user_id"], user_ids),
        "item": pc.index_in(ratings["item_id"], item_ids),
        "is_positive": is_positive,
        "strength": strength(is_positive, ratings),
        "timestamp": ratings[TIME],
    }
    return with_metadata(pa.table(interactions), user_ids, item_ids, data)


def with_metadata(
    interactions: pa.Table, user_ids: pa.Array, item_ids: pa.Array, data: ReaderParams
) -> Tables:
    """All tables, given that of the interactions and the distinct ids that occur in it."""
    edition = EDITIONS[data.source]
    _, of_items, of_users = (Path(data.path) / name for name in edition.files)
    items = _read_distinct(of_items, {**ITEM_COLUMNS, edition.genres: pa.string()}, data)
    items = items.rename_columns([*ITEM_COLUMNS, "genre"])
    users = _read_distinct(of_users, USER_COLUMNS, data)
    check_finite(users["age"], f"{of_users}: age")
    user_rows = _rows_of(user_ids, users["user_id"], of_users)
    item_rows = _rows_of(item_ids, items["item_id"], of_items)
    place = item_rows.fill_null(len(items)).to_numpy()  # what follows the last item is of none
    years = _years(items, of_items)
    return Tables(
        interactions,
        _user_table(users, user_ids, user_rows),
        pa.table({"item_id": item_ids, "release_year": years.take(item_rows)}),
        sparse.csr_array(_genres(items))[place],
        _embeddings(items)[place],
        pc.coalesce(_titles(items, years).take(item_rows), item_ids),
    )


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, 2 for 5 stars, else 1."""
    stars, _ = values(feedback["rating"])
    return np.where(is_positive, np.clip(stars.astype(np.float32) - 3, 1, 4), 0).astype(np.uint8)


def _user_table(users: pa.Table, user_ids: pa.Array, rows: pa.Array) -> pa.Table:
    """data/users.parquet of the ids, in their order, from the users' file. Levels of categories
    come from the whole file, whoever is in the log, so that they depend on no interaction.
    """
    return pa.table(
        {
            "user_id": user_ids,
            "age": users["age"].take(rows),
            "gender": _category(users["gender"]).take(rows),
            "occupation": _category(users["occupation"]).take(rows),
        }
    )


def _titles(items: pa.Table, years: pa.ChunkedArray) -> pa.ChunkedArray:
    """string (n_items,): the title and, where it is known, the year, such as `Heat (1995)`."""
    year = years.cast(pa.string())
    with_year = pc.binary_join_element_wise(items["movie_title"], " (", year, ")", "")
    return pc.coalesce(with_year, items["movie_title"])


def _years(items: pa.Table, path: Path) -> pa.ChunkedArray:
    """float32 (n_items,): release_year, null where it is no number; reports of how many."""
    year = items["release_year"]
    is_number = pc.fill_null(pc.match_substring_regex(year, r"^\d+(\.\d+)?$"), False)
    if n_unknown := pc.sum(pc.invert(is_number)).as_py():
        report(f"release_year is not known of {n_unknown:,} of {len(year):,} items")
    years = pc.if_else(is_number, year, None).cast(pa.float32())
    check_finite(years, f"{path}: release_year")
    return years


def _rows_of(ids: pa.Array, known: pa.ChunkedArray, path: Path) -> pa.Array:
    """The row of each id in the column of a file, null for none; reports how many have none."""
    rows = pc.index_in(ids, known)
    if rows.null_count:
        what = "users" if path.suffix == ".user" else "items"
        report(f"{path}: no row for {rows.null_count:,} of {len(ids):,} {what}")
    return rows


def _read_ratings(path: Path, data: ReaderParams) -> pa.Table:
    """The ratings in file order; InputError where one has no user, item or time, or is infinite.
    Reports how many are missing, or not from 0 to 5.
    """
    ratings = _read(path, RATING_COLUMNS, data)
    for name in ("user_id", "item_id", "timestamp"):
        _check_given(ratings[name], f"{path}: {name}")
    check_finite(ratings["rating"], f"{path}: rating")
    stars, is_missing = values(ratings["rating"])
    if n_missing := np.count_nonzero(is_missing):
        report(f"{path}: rating is not given in {n_missing:,} of {len(stars):,} rows")
    if n_others := np.count_nonzero(~is_missing & ((stars < 0) | (stars > MOST_STARS))):
        report(f"{path}: rating is not from 0 to {MOST_STARS} in {n_others:,} rows")
    return ratings


def _check_given(column: pa.ChunkedArray, where: str) -> None:
    """InputError where some are empty."""
    if n_empty := column.null_count:
        raise InputError(f"{where} is empty in {n_empty:,} of {len(column):,} rows; must be given")


def _read(path: Path, columns: dict[str, pa.DataType], data: ReaderParams) -> pa.Table:
    """The named columns of one RecBole file: tab separated, `name:type` in the header, no
    quoting; null where a field is empty.
    """
    if not path.exists():
        *names, last = EDITIONS[data.source].files
        raise InputError(
            f"{path}: not found; data.source {data.source} reads {', '.join(names)} and {last} in"
            f" {path.parent}"
        )
    try:
        with path.open(encoding="utf-8-sig") as file:
            names = [name.split(":")[0] for name in file.readline().rstrip("\n").split("\t")]
        check_once(names, path)
        table = csv.read_csv(
            path,
            csv.ReadOptions(column_names=names, skip_rows=1),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=columns, include_columns=list(columns)),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: {' '.join(str(error).split())}; columns {', '.join(columns)} are needed"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not len(table):
        raise InputError(f"{path}: no rows but the header")
    return pa.table({name: _or_null(table[name]) for name in table.column_names})


def _or_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with empty texts as nulls."""
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _read_distinct(path: Path, columns: dict[str, pa.DataType], data: ReaderParams) -> pa.Table:
    """The same, the first row of each id, which is the first column; reports how many more there
    are.
    """
    table = _read(path, columns, data)
    name = table.column_names[0]
    _check_given(table[name], f"{path}: {name}")
    first = pc.index_in(table[name].unique(), table[name])
    if n_more := table.num_rows - len(first):
        report(f"{path}: {n_more:,} more rows of the same {name.removesuffix('_id')}, left out")
    return table.take(first)


def _distinct(ids: pa.ChunkedArray) -> pa.Array:
    distinct = ids.unique()
    return distinct.take(pc.sort_indices(distinct))


def _category(values: pa.ChunkedArray) -> pa.DictionaryArray:
    levels = _distinct(values.drop_null())
    return pa.DictionaryArray.from_arrays(pc.index_in(values.combine_chunks(), levels), levels)


def _genres(items: pa.Table) -> sparse.csr_matrix:
    """float32 (n_items + 1, n_genres): 1 / number of genres for each genre of the item; the last
    row, of an item that is not there, is empty.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=r"\S+", lowercase=False, dtype=np.float32)
    counts = _counted(vectorizer.fit_transform, items["genre"])
    n_genres = np.maximum(counts.sum(axis=1).A1, 1)
    shares = sparse.diags_array(1 / n_genres) @ counts
    return sparse.vstack([shares, sparse.csr_matrix((1, counts.shape[1]), dtype=np.float32)])


def _counted(fit: Callable, texts: pa.ChunkedArray) -> sparse.csr_matrix:
    """The words of each text, null for none, by fit_transform of one of sklearn's vectorizers: CSR
    (n_texts, n_words), without a column where there is no word.
    """
    texts = texts.fill_null("").to_pylist()
    try:
        return fit(texts)
    except ValueError:  # of an empty vocabulary
        return sparse.csr_matrix((len(texts), 0), dtype=np.float32)


def _embeddings(items: pa.Table) -> np.ndarray:
    """float32 (n_items + 1, 32): truncated SVD of the TF-IDF of title words and genres; NaN for an
    item that has neither, and in the last row, of an item that is not there. Reports how many
    dimensions are empty, and how many items have none.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    of_titles = TfidfVectorizer(stop_words="english", min_df=2)
    of_genres = TfidfVectorizer(token_pattern=r"\S+")
    titles = _counted(of_titles.fit_transform, items["movie_title"])
    genres = _counted(of_genres.fit_transform, items["genre"])
    words = sparse.hstack([titles, genres]).tocsr()
    width = max(0, min(EMBEDDING_WIDTH, min(words.shape) - 1))
    embeddings = np.zeros((len(items) + 1, EMBEDDING_WIDTH), dtype=np.float32)
    if width:
        svd = TruncatedSVD(width, algorithm="arpack", random_state=0)
        embeddings[:-1, :width] = svd.fit_transform(words)
    if width < EMBEDDING_WIDTH:
        report(
            f"{words.shape[1]:,} words and genres of {len(items):,} items give embeddings of"
            f" {width} dimensions, not {EMBEDDING_WIDTH}"
        )
    is_empty = np.append(np.diff(words.indptr) == 0, True)
    embeddings[is_empty] = np.nan
    if n_empty := np.count_nonzero(is_empty[:-1]):
        report(f"no title word and no genre, and so no embedding, of {n_empty:,} items")
    return embeddings
