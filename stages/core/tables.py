"""The tables that `ingest` makes from every data source and that all later stages read.

data/tables/
interactions.parquet   one row per interaction, in time order
    user int32, item int32  row numbers in users.parquet and items.parquet
    is_positive bool        data.positive holds
    strength uint8          0 if not positive, 1 for a positive, 2 to 4 for stronger feedback
    week int16              only if the source has weeks; 0 is the oldest. The schema metadata has
                            n_weeks, the number of weeks, and may have weeks, JSON: start and part
                            of each, as in data/split/windows.csv
    is_test bool            only if the source has a test file: True for its rows, which come last
    timestamp int64         only if the source has times: seconds since 1970, ascending, except that
                            the rows of a test file come last
    CHANNELS                only those that the source has, for the family `channels`:
                            like, share, bookmark, dislike, click_on_author, open_comments bool;
                            timespent uint8, seconds, at most 255; place, platform, agent uint8:
                            codes in order of first occurrence, 255 if unknown. The schema metadata
                            `levels`, JSON, has the values of each by code
users.parquet          one row per user that occurs in the interactions, ascending by user_id
    user_id                 dtype of the source
    …                       one column per user feature: numbers are float32 (float64 if float32
                            would round), categories are dictionary<int32, string>
items.parquet          the same for items: item_id and the item features. The source `table` also
                       has items without interactions
item_tags.npz          scipy CSR float32 (n_items, n_tags): groups that the item belongs to, such as
                       its author or genres; each row sums to 1 or is empty
item_embeddings.npy    float32 (n_items, width); NaN for an item without an embedding
item_titles.parquet    title string, a row per item, for people; no column if the source has none.
                       It is a separate file because a title is not a feature
item_published.npy     float64 (n_items,): seconds since 1970 from which the item existed, NaN if
                       unknown; no file if the source does not have it
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.script import whole, whole_folder

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

FOLDER = Path("data/tables")
INTERACTIONS = FOLDER / "interactions.parquet"
USERS = FOLDER / "users.parquet"
ITEMS = FOLDER / "items.parquet"
TAGS = FOLDER / "item_tags.npz"
EMBEDDINGS = FOLDER / "item_embeddings.npy"
TITLES = FOLDER / "item_titles.parquet"
PUBLISHED = FOLDER / "item_published.npy"
FEEDBACK = ("like", "share", "bookmark", "dislike", "click_on_author", "open_comments")
TIMESPENT, MOST_SECONDS = "timespent", 255
SETTINGS, UNKNOWN = ("place", "platform", "agent"), 255
CHANNELS = (*FEEDBACK, TIMESPENT, *SETTINGS)
LEVELS = b"levels"
RECOMMENDATIONS = "data/recommendations/{fold}.parquet"  # see recommend.py


def channels_of(names: Iterable[str]) -> list[str]:
    """Return the feedback channels among these columns."""
    return [name for name in names if name in CHANNELS]


@dataclass(frozen=True)
class Tables:
    """The tables that a reader returns; see the module docstring. None if the source has none."""

    interactions: pa.Table
    users: pa.Table
    items: pa.Table
    item_tags: sparse.csr_array
    item_embeddings: np.ndarray
    item_titles: pa.Array | None = None
    item_published: np.ndarray | None = None


def write(tables: Tables) -> None:
    """Write all tables or none."""
    with whole_folder(FOLDER) as folder:
        titles = {} if tables.item_titles is None else {"title": tables.item_titles}
        write_parquet(folder / INTERACTIONS.name, tables.interactions)
        write_parquet(folder / USERS.name, tables.users)
        write_parquet(folder / ITEMS.name, tables.items)
        write_parquet(folder / TITLES.name, pa.table(titles))
        write_npz(folder / TAGS.name, arrays_of(tables.item_tags))
        np.save(folder / EMBEDDINGS.name, tables.item_embeddings)
        if tables.item_published is not None:
            np.save(folder / PUBLISHED.name, tables.item_published)


def arrays_of(matrix: sparse.csr_array) -> dict[str, np.ndarray]:
    """Return the arrays that scipy.sparse.load_npz expects for this matrix."""
    parts = {name: getattr(matrix, name) for name in ("data", "indices", "indptr", "shape")}
    return {"format": np.array(b"csr"), "_is_array": np.array(True), **parts}


def write_utf8(path: Path, text: str) -> None:
    """Write a text file completely or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a parquet file completely or not at all, with the same bytes for the same table."""
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays for numpy.load completely or not at all, always with the same bytes.

    We do not use numpy.savez and scipy.sparse.save_npz, because their bytes depend on the versions
    of Python and of a compression library.
    """
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.file_size = np.asarray(values).nbytes  # beyond 2 GB, zip needs an extension
            with file.open(entry, "w") as written:
                np.lib.format.write_array(written, np.asarray(values), allow_pickle=False)


def ids(path: Path) -> pa.Array:
    """Return the ids of users.parquet or items.parquet."""
    return pq.read_table(path, columns=pq.read_schema(path).names[:1])[0].combine_chunks()


def read_tags(items: np.ndarray) -> sparse.csr_array:
    """Read the tags of these rows of items.parquet: CSR float32 (len(items), n_tags)."""
    return sparse.csr_array(sparse.load_npz(TAGS))[items]
