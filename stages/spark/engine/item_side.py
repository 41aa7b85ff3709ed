"""What a fold knows of items, from all its users: files that every executor reads.

ITEM_SIDE/FOLD.items, the positions of all arrays being those of `items`:
    items int32 (n_items,): rows of `items` that the history has, ascending
    shown, liked int32 (n_items, n_windows): exposures and positives in each window
    level_NAME, lowest_NAME: positives by level of a feature of the users, float64 (n_levels,
        n_items), and the lowest value of each level
    NAME_indptr, NAME_indices, NAME_data: the neighbours of each item, best first
    ease_NAME_items, ease_NAME_weights: the items that EASE knows, the max_items most popular ones,
        and their weights, float64 (n, n)
    embeddings float32 (n_items, width); tags_indptr, tags_indices, tags_data
    features.parquet; fold.json: window, levels of the users' and the items' features, n_tags
ALS/FOLD.factors: item_factors float32 (n_items, factors)

They are read by memory mapping: the workers of a machine share one copy.
"""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pyspark import SparkFiles
from scipy import sparse

from spark.engine.blocks import Levels
from spark.engine.data_sets import DataSets

ITEM_SIDE = "item_side/{fold}.items"
FACTORS = "als/{fold}.factors"


@dataclass(frozen=True)
class ItemSide:
    """The files of a fold, read when they are asked for.

    first_window  the counts of earlier windows are taken as none
    """

    folder: Path
    factors: Path | None
    first_window: int = 0

    def array(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")

    @cached_property
    def items(self) -> np.ndarray:
        return np.asarray(self.array("items"))

    @cached_property
    def fold(self) -> dict:
        return json.loads((self.folder / "fold.json").read_text(encoding="utf-8"))

    @property
    def window(self) -> int:
        """The fold's target window."""
        return self.fold["window"]

    @property
    def levels(self) -> Levels:
        """Of the users' features."""
        return self.fold["users"]

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """As Context.item_counts."""
        shown, liked = (self.array(name).astype(np.int64) for name in ("shown", "liked"))
        shown[:, : self.first_window] = liked[:, : self.first_window] = 0
        return shown, liked

    @cached_property
    def item_factors(self) -> np.ndarray:
        return np.asarray(np.load(self.factors / "item_factors.npy", mmap_mode="r"))

    @cached_property
    def gram(self) -> np.ndarray:
        """Y'Y of the factors, float64."""
        vectors = self.item_factors.astype(np.float64)
        return vectors.T @ vectors

    @cached_property
    def embeddings(self) -> np.ndarray:
        return self.array("embeddings")

    @cached_property
    def tags(self) -> sparse.csr_array:
        return self._csr("tags", self.fold["n_tags"])

    @cached_property
    def features(self) -> pd.DataFrame:
        """The columns of items, float32 or category."""
        frame = pq.read_table(self.folder / "features.parquet").to_pandas()
        for name, levels in self.fold["items"].items():
            if levels is not None:
                frame[name] = pd.Categorical.from_codes(frame[name].fillna(-1).astype(int), levels)
        return frame

    def _csr(self, name: str, width: int) -> sparse.csr_array:
        parts = (self.array(f"{name}_{part}") for part in ("data", "indices", "indptr"))
        return sparse.csr_array(tuple(parts), shape=(len(self.items), width))

    def similarity(self, name: str, neighbours: int) -> sparse.csr_matrix:
        """The neighbours of each item by one of the kinds of totals.nearest: as
        folds.similarity.item_knn_similarity gives them.
        """
        return _similarity(self, name, neighbours)

    def ease(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The items that EASE knows, int64 ascending, and their weights, float64."""
        return np.asarray(self.array(f"{name}_items")), np.asarray(self.array(f"{name}_weights"))

    def since(self, window: int) -> "ItemSide":
        return replace(self, first_window=window)

    def alive(self, windows: int) -> np.ndarray | None:
        """The items shown in the last so many windows, int64; None for all."""
        if not windows:
            return None
        return np.flatnonzero(self.item_counts[0][:, -windows:].any(axis=1))


def save_factors(factors: np.ndarray) -> Callable[[Path], None]:
    """What writes the factors of the items into a folder."""
    return lambda folder: np.save(folder / "item_factors.npy", factors)


@lru_cache(maxsize=8)
def _similarity(side: ItemSide, name: str, neighbours: int) -> sparse.csr_matrix:
    ranked = side._csr(name, len(side.items))
    sizes = np.minimum(np.diff(ranked.indptr), neighbours)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    kept = np.arange(indptr[-1]) + np.repeat(ranked.indptr[:-1] - indptr[:-1], sizes)
    matrix = sparse.csr_matrix(
        (ranked.data[kept], ranked.indices[kept], indptr), shape=ranked.shape, dtype=np.float32
    )
    matrix.sort_indices()
    return matrix


@dataclass(frozen=True)
class Shipped:
    """The names by which Spark has given the folders of a fold to the driver and every executor."""

    items: str
    factors: str | None

    def open(self) -> ItemSide:
        """The item side, from the files of this machine."""
        return _opened(self)


@lru_cache(maxsize=2)
def _opened(files: Shipped) -> ItemSide:
    factors = Path(SparkFiles.get(files.factors)) if files.factors else None
    return ItemSide(Path(SparkFiles.get(files.items)), factors)


def ship(sets: DataSets, fold: str, has_factors: bool = True) -> Shipped:
    """Gives every executor the item side of the fold, and the items' factors if they are asked for.

    As archives: a cluster takes no folders from the driver's machine.
    """
    return Shipped(
        _ship(sets, "item_side", ITEM_SIDE.format(fold=fold)),
        _ship(sets, "als", FACTORS.format(fold=fold)) if has_factors else None,
    )


def _ship(sets: DataSets, stage: str, name: str) -> str:
    digest = sets.check(stage, name)["digest"]
    own = f"{Path(name).name}.{digest[:12]}"  # a name is given once in a session
    archive = sets.scratch / f"{own}.zip"
    if not archive.exists():
        folder = sets.files.fetch(sets.path(name), sets.scratch / own)
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.iterdir()):
                file.write(path, path.name)
        shutil.rmtree(folder)
        sets.spark.sparkContext.addArchive(f"{archive}#{own}")
    return own
