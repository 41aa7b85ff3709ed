"""Reads MovieLens, as RecBole writes it, into the tables of folds/tables.py.

    NAME.inter   user_id, item_id, rating, timestamp
    NAME.item    item_id, movie_title, release_year, genre (names with blanks between)
    NAME.user    user_id, age, gender, occupation

NAME is ml-1m or ml-100k; in ml-100k.item the genres stand in the column `class`, two films have no
year, and 18 stand twice, of which the first row counts. Time is the timestamp, ties in file order.
The data has no embeddings: 32 dimensions are made of title words and genres (TF-IDF, truncated SVD)
over the whole catalogue, so they depend on no interaction.

sklearn is imported where it is used: it takes 1.5 s to load, and `download` and the other readers,
which load this module too, need none of it.
"""

from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from scipy import sparse

from folds.tables import Tables
from readers.params import ReaderParams
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
EMBEDDING_WIDTH = 32
STRENGTH_COLUMNS = ("rating",)
TIME = "timestamp"


def read(data: ReaderParams) -> Tables:
    """The tables of the folder data.path; InputError where a file is missing or not in the expected
    layout.
    """
    of_ratings = Path(data.path) / EDITIONS[data.source].files[0]
    ratings = _read(of_ratings, RATING_COLUMNS, data)
    ratings = ratings.take(np.argsort(ratings["timestamp"].to_numpy(), kind="stable"))
    user_ids, item_ids = (_distinct(ratings[column]) for column in ("user_id", "item_id"))
    is_positive = Rule.parse(data.positive).evaluate(ratings.select(["rating", "timestamp"]))
    interactions = {
        "user": pc.index_in(ratings["user_id"], user_ids),
        "item": pc.index_in(ratings["item_id"], item_ids),
        "is_positive": is_positive,
        "strength": strength(is_positive, ratings),
    }
    return with_metadata(pa.table(interactions), user_ids, item_ids, data)


def with_metadata(
    interactions: pa.Table, user_ids: pa.Array, item_ids: pa.Array, data: ReaderParams
) -> Tables:
    """All tables, given that of the interactions and the distinct ids that occur in it."""
    _, of_items, of_users = (Path(data.path) / name for name in EDITIONS[data.source].files)
    genres = EDITIONS[data.source].genres
    items = _read_distinct(of_items, {**ITEM_COLUMNS, genres: pa.string()}, data)
    items = items.rename_columns([*ITEM_COLUMNS, "genre"])
    users = _read_distinct(of_users, USER_COLUMNS, data)
    item_rows = pc.index_in(item_ids, items["item_id"])
    years = _years(items)
    return Tables(
        interactions,
        _user_table(users.take(pc.index_in(user_ids, users["user_id"])), user_ids),
        pa.table({"item_id": item_ids, "release_year": years.take(item_rows)}),
        sparse.csr_array(_genres(items)[item_rows.to_numpy()]),
        _embeddings(items)[item_rows.to_numpy()],
        _titles(items, years).take(item_rows),
    )


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, 2 for 5 stars, else 1."""
    stars, _ = values(feedback["rating"])
    return np.where(is_positive, np.clip(stars.astype(np.float32) - 3, 1, 4), 0).astype(np.uint8)


def window_starts(data: ReaderParams, n_interactions: np.ndarray) -> np.ndarray:
    """The first timestamp of each window, (n_windows,), whose numbers of interactions are given."""
    path = Path(data.path) / EDITIONS[data.source].files[0]
    times = np.sort(_read(path, {TIME: RATING_COLUMNS[TIME]}, data)[TIME].to_numpy())
    if len(times) != n_interactions.sum():
        raise InputError(
            f"{path}: {len(times):,} interactions, but {n_interactions.sum():,} when the data was"
            " split; run dvc repro"
        )
    ends = np.cumsum(n_interactions)
    return times[np.minimum(ends - n_interactions, len(times) - 1)]


def _user_table(users: pa.Table, user_ids: pa.Array) -> pa.Table:
    """data/users.parquet of the rows of the users' file that belong to the ids, in their order."""
    return pa.table(
        {
            "user_id": user_ids,
            "age": users["age"],
            "gender": _category(users["gender"]),
            "occupation": _category(users["occupation"]),
        }
    )


def _titles(items: pa.Table, years: pa.ChunkedArray) -> pa.ChunkedArray:
    """string (n_items,): the title and, where it is known, the year, such as `Heat (1995)`."""
    year = years.cast(pa.int32()).cast(pa.string())
    with_year = pc.binary_join_element_wise(items["movie_title"], " (", year, ")", "")
    return pc.coalesce(with_year, items["movie_title"])


def _years(items: pa.Table) -> pa.ChunkedArray:
    """float32 (n_items,): release_year, null where it is no number; reports of how many."""
    year = items["release_year"]
    is_number = pc.match_substring_regex(year, r"^\d+(\.\d+)?$")
    if n_unknown := pc.sum(pc.invert(is_number)).as_py():
        report(f"release_year is not known of {n_unknown:,} of {len(year):,} items")
    return pc.if_else(is_number, year, None).cast(pa.float32())


def _read(path: Path, columns: dict[str, pa.DataType], data: ReaderParams) -> pa.Table:
    """The named columns of one RecBole file: tab separated, `name:type` in the header, no
    quoting.
    """
    if not path.exists():
        *names, last = EDITIONS[data.source].files
        raise InputError(
            f"{path}: not found; data.source {data.source} reads {', '.join(names)} and {last} in"
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


def _read_distinct(path: Path, columns: dict[str, pa.DataType], data: ReaderParams) -> pa.Table:
    """The same, the first row of each id, which is the first column; reports how many more there
    are.
    """
    table = _read(path, columns, data)
    name = table.column_names[0]
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
