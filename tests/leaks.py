"""Rewrites a log from a window on, and compares the outputs of stages for a fold.

A rewrite changes rows, and metadata of users and items that occur only there, in any way that the
layout of the files allows. stages/README.md lists the exceptions.
"""

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

from core.params import is_judged, kind_of

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from clone import FOLDS
from logs import TARGET, Log

Rewrite = Callable[[Log, int, np.random.Generator], Log]
Content = dict[str, bytes]
EARLIEST_TEST = "test_2"  # its window and all after it are unknown to every validation fold
KEYS = ("user_id", "item_id", "timestamp", "window")  # of a row; all else is feedback
LABELS = ["label", "n_relevant"]  # what the target window gives
FEWEST = 8  # users whose lists must be there to compare; of a label fold, a few are sampled


def split_at(log: Log, start: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the windows before `start`, and all others."""
    is_known = log.rows["window"] < start
    return log.rows[is_known], log.rows[~is_known]


def unknown(frame: pd.DataFrame, known: pd.DataFrame) -> np.ndarray:
    """Return which rows of the metadata belong to users, or items, without a known row."""
    name = frame.columns[0]
    return ~frame[name].isin(known[name]).to_numpy()


def shuffled(frame: pd.DataFrame, rows: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Replace every column except the first by values of other rows, in half of these rows."""
    frame, rows = frame.copy(), rows & (rng.random(len(frame)) < 0.5)
    for name in frame.columns[1:]:
        frame.loc[rows, name] = rng.choice(frame[name].to_numpy(), np.count_nonzero(rows))
    return frame


def with_the_levels_of(old: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """Add unused users with the old metadata, so that the levels of categories do not change.

    Levels are those of the whole file, and models contain their numbers.
    """
    name, kind = users.columns[0], users.dtypes.iloc[0]
    ids = 4_000_000_000 + np.arange(len(old)) if kind.kind == "u" else "unseen_" + old[name]
    unseen = old.assign(**{name: pd.Series(ids, old.index).astype(kind)})
    return pd.concat([users, unseen], ignore_index=True)


def new_ids(ids: pd.Series) -> list:
    """Return ids that do not occur: before, between and after the others."""
    if ids.dtype == object or isinstance(ids.dtype, pd.StringDtype):
        return ["0_0", "1m_5_", "zz"]
    there = np.sort(ids.unique())
    gap = int(np.argmax(np.diff(there) > 1))
    return [int(there[0]) - 1, int(there[gap]) + 1, int(there[-1]) + 1]


def with_new(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, list]:
    """Add rows of metadata, with a new author if there are authors. Returns also their ids."""
    ids = new_ids(frame.iloc[:, 0])
    rows = frame.iloc[rng.integers(len(frame), size=len(ids))].assign(**{frame.columns[0]: ids})
    if "author_id" in frame:
        rows["author_id"] = new_ids(frame["author_id"])
    more = pd.concat([frame, rows.astype(frame.dtypes)], ignore_index=True)
    return more.sort_values(frame.columns[0], ignore_index=True), ids


def added(log: Log, start: int, rng: np.random.Generator) -> Log:
    """Add half as many rows, with known and new users and items, and with pairs of the past."""
    known, later = split_at(log, start)
    users, new_users = with_new(log.users, rng)
    items, new_items = with_new(log.items, rng)
    n = len(later) // 2
    rows = log.rows.iloc[rng.integers(len(log.rows), size=n)]
    rows = rows.assign(window=rng.choice(later["window"].unique(), n))
    for name, ids, new in (("user_id", log.users, new_users), ("item_id", log.items, new_items)):
        is_other, is_new = rng.random((2, n)) < [[0.5], [0.3]]
        values = np.where(is_other, rng.choice(ids.iloc[:, 0].to_numpy(), n), rows[name])
        rows[name] = np.where(is_new, rng.choice(np.array(new, values.dtype), n), values)
    later = pd.concat([later, rows]).sample(frac=1, random_state=rng)
    later = later.sort_values("window", kind="stable")
    return Log(pd.concat([known, later]), users, items)


def changed(log: Log, start: int, rng: np.random.Generator, *, is_of_items: bool = False) -> Log:
    """Change items and feedback of most rows, users of some, and metadata of unknown ones."""
    known, later = split_at(log, start)
    users, new_users = with_new(shuffled(log.users, unknown(log.users, known), rng), rng)
    items = shuffled(log.items, unknown(log.items, known), rng) if is_of_items else log.items
    is_other, is_new, is_last = rng.random((3, len(later))) < [[0.6], [0.2], [0.2]]
    later = later.copy()
    later.loc[is_other, "item_id"] = rng.permutation(later.loc[is_other, "item_id"].to_numpy())
    later.loc[is_last, "item_id"] = log.items["item_id"].iloc[-1]
    later.loc[is_new, "user_id"] = rng.choice(new_users, is_new.sum())
    for name in later.columns.difference(KEYS, sort=False):  # the feedback
        later.loc[is_other, name] = rng.choice(later[name].unique(), np.count_nonzero(is_other))
    return Log(pd.concat([known, later]), with_the_levels_of(log.users, users), items)


class Outs:
    """Outputs of the stages in a folder, with ids instead of row numbers, which new ids change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _ids(self) -> dict[str, np.ndarray]:
        path = str(self.folder / "data/tables/{}s.parquet")
        return {n: pq.read_table(path.format(n))[f"{n}_id"].to_numpy() for n in ("user", "item")}

    def table(self, path: str) -> pd.DataFrame:
        """Return a parquet file with user_id and item_id."""
        frame = pq.read_table(self.folder / path).to_pandas()
        for name in {"user", "item"} & {*frame.columns}:
            frame[name] = self._ids[name][frame[name]]
        return frame.rename(columns={"user": "user_id", "item": "item_id"})

    def tables(self, *paths: str) -> Content:
        """Return the bytes of every column of parquet files below data/."""
        found = {}
        for path in paths:
            found |= prefixed(path, content(self.table(f"data/{path}.parquet")))
        return found

    def factors(self, fold: str) -> Content:
        with np.load(self.folder / f"data/als/{fold}.npz") as arrays:
            found = dict(arrays)
        for name, ids in self._ids.items():
            found[f"{name}s"] = ids[found[f"{name}s"]]
        return prefixed(f"als/{fold}", {name: as_bytes(of) for name, of in found.items()})

    @cached_property
    def metadata(self) -> dict[object, tuple]:
        """Return the metadata of every user."""
        frame = self.table("data/tables/users.parquet").astype(str)
        columns = frame.drop(columns="user_id").itertuples(index=False, name=None)
        return dict(zip(self._ids["user"], columns, strict=True))

    def of_target_users(self, fold: str) -> dict[str, pd.DataFrame]:
        """Return the outputs for users of the target window, without labels."""
        names = ["candidates/{}"] + ["features/{}"] * (fold != "test")
        if is_judged(fold):
            names += ["recommendations/{}", "recommendations/halves/{}", "baselines/{}"]
        tables = {name: self.table(f"data/{name.format(fold)}.parquet") for name in names}
        return {name: table.drop(columns=LABELS, errors="ignore") for name, table in tables.items()}

    def files(self, *patterns: str) -> Content:
        """Return the bytes of files."""
        paths = [path for pattern in patterns for path in self.folder.glob(pattern)]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def of_the_past(self, fold: str) -> Content:
        """Return everything that must not change with the fold's target window."""
        parts = [self.table(f"data/split/{name}.parquet") for name in ("interactions", "channels")]
        rows = pd.concat(parts, axis=1)
        found = prefixed("history", content(rows[rows["window"] < TARGET[fold]]))
        for name in FOLDS[FOLDS.index(fold) :]:
            found |= self.factors(name) | self.files(f"data/ranker/{name}/*")
            if name != fold:
                found |= self.tables(f"candidates/{name}", f"features/{name}")
        return found | self.of_validation() if fold == EARLIEST_TEST else found

    def of_validation(self) -> Content:
        """Return inputs and results of the evaluation on validation folds."""
        names = [fold for fold in FOLDS if kind_of(fold) == "validation"]
        tables = [
            f"{of}/{fold}" for fold in names for of in ("recommendations/halves", "baselines")
        ]
        files = [f"data/{of}/validation*.parquet" for of in ("recommendations", "per_user")]
        files += ["metrics/**/*validation*", "data/ranker/*.csv", "data/baselines/settings.csv"]
        return self.tables(*tables) | self.files(*files)


def as_bytes(values: np.ndarray) -> bytes:
    """Return the bytes of numbers, with their type, or of strings."""
    if values.dtype == object:
        return "\0".join(values).encode()
    return str(values.dtype).encode() + values.tobytes()


def content(frame: pd.DataFrame) -> Content:
    """Return the bytes of every column."""
    return {name: as_bytes(values.to_numpy()) for name, values in frame.items()}


def prefixed(prefix: str, values: Content) -> Content:
    return {f"{prefix}: {name}": value for name, value in values.items()}


def differing(one: Content, other: Content) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def differing_lists(one: Outs, other: Outs, fold: str) -> list[str]:
    """Return the columns of a fold's target users that differ.

    Only users who are in both outputs with the same metadata are compared.
    """
    tables = [outs.of_target_users(fold) for outs in (one, other)]
    same = {user for user, _ in one.metadata.items() & other.metadata.items()}
    found = []
    for name in tables[0]:
        of_one, of_other = (of[name] for of in tables)
        both = same & {*of_one["user_id"]} & {*of_other["user_id"]}
        assert len(both) >= FEWEST or "features" in name, f"{name}: {len(both)} users in both"
        kept = [content(table[table["user_id"].isin(both)]) for table in (of_one, of_other)]
        found += prefixed(name.format(fold), dict.fromkeys(differing(*kept), b""))
    return found


# Of what the files allow: windows of equal size move with every row more or less
REWRITES: dict[str, dict[str, Rewrite]] = {
    "movielens-1m": {"changed": changed},
    "vk-lsvd": {"changed": partial(changed, is_of_items=True), "added": added},
}
