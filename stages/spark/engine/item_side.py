"""The item side of a fold: files with statistics of items over all users, for every executor.

ITEM_SIDE/FOLD.items; arrays have the order of `items`:
    items int32 (n_items,): rows of the table items that are in the history, ascending
    shown, liked int32 (n_items, n_windows): exposures and positives in each window
    level_NAME, lowest_NAME: positives by level of a user feature, float64 (n_levels, n_items), and
        the lowest value of each level
    MODEL_indptr, MODEL_indices, MODEL_data: the neighbours of each item, for every item_knn
    MODEL_items, MODEL_weights: the items of EASE, which are the max_items most popular ones, and
        their weights, float64 (n, n), for every ease
    embeddings float32 (n_items, width); tags_indptr, tags_indices, tags_data
    features.parquet; fold.json: window, levels of user and item features, n_tags
ALS/FOLD.factors: item_factors float32 (n_items, factors)

Files are memory-mapped, so the workers of a machine share one copy.
"""

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from core.params import Strict
from core.products import normalised

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pyspark import SparkFiles
from scipy import sparse

from spark.engine.data_sets import DataSets

ITEM_SIDE = "item_side/{fold}.items"
FACTORS = "als/{fold}.factors"
CSR = ("data", "indices", "indptr")


def name_of(model: tuple[str, Strict]) -> str:
    """Return the name of a fitted model, which contains its parameters."""
    name, params = model
    return "_".join(map(str, [name, *params.model_dump().values()]))


@dataclass(frozen=True)
class ItemSide:
    """The files of a fold. Each file is read on first use."""

    folder: Path
    factors: Path | None

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

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the same as Context.item_counts."""
        return self.array("shown").astype(np.int64), self.array("liked").astype(np.int64)

    def alive(self, windows: int) -> np.ndarray | None:
        """Return the same as History.alive."""
        return self.item_counts[0][:, -windows:].any(axis=1) if windows else None

    @cached_property
    def item_factors(self) -> np.ndarray:
        return np.asarray(np.load(self.factors / "item_factors.npy", mmap_mode="r"))

    @cached_property
    def embeddings(self) -> np.ndarray:
        return self.array("embeddings")

    @cached_property
    def vectors(self) -> np.ndarray:
        """Embeddings scaled to length 1."""
        return normalised(self.embeddings)

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
        parts = tuple(self.array(f"{name}_{part}") for part in CSR)
        return sparse.csr_array(parts, shape=(len(self.items), width))

    def neighbours(self, model: tuple[str, Strict]) -> sparse.csr_array:
        """Return the same as models.item_knn.item_knn_similarity."""
        return self._csr(name_of(model), len(self.items))

    def ease(self, model: tuple[str, Strict]) -> tuple[np.ndarray, np.ndarray]:
        """Return the items of EASE, int64, ascending, and their weights, float64."""
        name = name_of(model)
        return np.asarray(self.array(f"{name}_items")), np.asarray(self.array(f"{name}_weights"))


@dataclass(frozen=True)
class Shipped:
    """Names under which Spark distributed the folders of a fold to driver and executors."""

    items: str
    factors: str | None

    def open(self) -> ItemSide:
        """Return the item side from the files on this machine."""
        return _opened(self)


@lru_cache(maxsize=2)
def _opened(files: Shipped) -> ItemSide:
    factors = Path(SparkFiles.get(files.factors)) if files.factors else None
    return ItemSide(Path(SparkFiles.get(files.items)), factors)


def ship(sets: DataSets, fold: str, has_factors: bool = False) -> Shipped:
    """Distribute the item side of the fold, and item factors if requested, to all executors.

    We send archives, because a cluster accepts no folders from the driver's machine.
    """
    return Shipped(
        _ship(sets, "item_side", ITEM_SIDE.format(fold=fold)),
        _ship(sets, "als", FACTORS.format(fold=fold)) if has_factors else None,
    )


def _ship(sets: DataSets, stage: str, name: str) -> str:
    digest = sets.check(stage, name)["digest"]
    own = f"{Path(name).name}.{digest[:12]}"  # a session allows a name only once
    archive = Path(SparkFiles.getRootDirectory()) / "shipped" / f"{own}.zip"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        with TemporaryDirectory() as parent, zipfile.ZipFile(archive, "w") as file:
            folder = sets.files.fetch(sets.path(name), Path(parent) / own)
            for path in sorted(folder.iterdir()):
                file.write(path, path.name)
        sets.spark.sparkContext.addArchive(f"{archive}#{own}")
    return own
