"""Builds the item side of a fold on the driver, from sums that Spark has added up."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.script import report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from scipy import sparse

from families.score_models import EaseModel
from folds.ease import most_popular, weights_of_gram
from folds.similarity import ItemKnnParams
from retrieval.ease import EaseParams
from spark.engine.als import known_items
from spark.engine.blocks import flat
from spark.engine.context import ease_name, pairs_of
from spark.engine.totals import (
    Asked,
    Knn,
    count,
    lowest_levels,
    matrix_of,
    nearest,
    pair,
    sums,
)
from spark.raw.tables import Schema


@dataclass(frozen=True)
class Catalogue:
    """All items, in the order of their row numbers, and what the columns are."""

    table: pa.Table
    schema: Schema

    @classmethod
    def read(cls, items: DataFrame, schema: Schema) -> "Catalogue":
        columns = [*schema.items, "tag", "share", "embedding"]
        return cls(items.select("item", *columns).toArrow().sort_by("item"), schema)

    def save(self, folder: Path, items: np.ndarray) -> None:
        """The files of these items."""
        table = self.table.take(pa.array(items))
        sizes = pc.list_value_length(table["tag"]).to_numpy()
        save_csr(
            folder,
            "tags",
            flat(table["share"]).astype(np.float32),
            flat(table["tag"]).astype(np.int32),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        )
        embeddings = flat(table["embedding"]).astype(np.float32).reshape(len(items), -1)
        np.save(folder / "embeddings.npy", embeddings)
        pq.write_table(table.select(list(self.schema.items)), folder / "features.parquet")


def save_csr(
    folder: Path, name: str, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray
) -> None:
    for part, values in (("data", data), ("indices", indices), ("indptr", indptr)):
        np.save(folder / f"{name}_{part}.npy", values)


def build(
    logs: DataFrame,
    window: int,
    catalogue: Catalogue,
    knn: list[ItemKnnParams],
    ease: list[EaseParams | EaseModel],
) -> Callable[[Path], None]:
    """What writes the item side of the fold with this target window into a folder.

    knn, ease  all neighbourhoods, and all weights of EASE, that are needed
    """
    items, schema = known_items(logs, window), catalogue.schema
    pairs = list(dict.fromkeys(pairs_of(model) for model in (*knn, *ease)))
    lowest = lowest_levels(logs, window, schema.users)
    asked = Asked(window, items, schema.users, lowest, pairs, {})
    counted = matrices(sums(logs, count, asked), sizes_of(asked, len(items)))
    n_entries = {one.name: counted[f"n_{one.name}"][0] for one in pairs}
    known = {
        one.name: most_popular_of(n_entries[one.name], one.most_items)
        for one in pairs
        if one.most_items
    }
    for most in sorted({len(of) for of in known.values() if len(of) < len(items)}):
        report(f"EASE knows the {most:,} most popular of {len(items):,} items (max_items)")
    asked = Asked(window, items, schema.users, lowest, pairs, known)
    wanted = neighbourhoods(knn)
    found = nearest(sums(logs, pair, asked), n_entries, wanted).toArrow()

    def save(folder: Path) -> None:
        np.save(folder / "items.npy", items)
        for name in ("shown", "liked"):
            np.save(folder / f"{name}.npy", counted[name].astype(np.int32))
        for name, values in lowest.items():
            np.save(folder / f"lowest_{name}.npy", values)
            np.save(folder / f"level_{name}.npy", counted[f"level_{name}"])
        for name, by_weighting in wanted.items():
            for weighting in by_weighting:
                save_ranked(folder, f"{name}_{weighting}", found, len(items))
        for name, model in {ease_name(model): model for model in ease}.items():
            own = known[pairs_of(model).name]
            rows = found.filter(pc.field("name") == pairs_of(model).name)
            gram = matrix_of(rows, (len(own), len(own))).toarray().astype(np.float32)
            np.save(folder / f"{name}_items.npy", own)
            np.save(folder / f"{name}_weights.npy", weights_of_gram(gram, model.l2, 1))
        catalogue.save(folder, items)
        fold = {
            "window": window,
            "users": schema.users,
            "items": schema.items,
            "n_tags": schema.n_tags,
            "n_items": len(items),
        }
        (folder / "fold.json").write_text(json.dumps(fold), encoding="utf-8")

    return save


def most_popular_of(n_entries: np.ndarray, most: int) -> np.ndarray:
    """As folds.ease.most_popular, from the number of entries of each item."""
    n = n_entries.astype(np.int64)
    columns = np.repeat(np.arange(len(n)), n)
    ones = np.ones(len(columns), dtype=np.int8)
    return most_popular(sparse.csr_array((ones, columns, [0, len(columns)]), (1, len(n))), most)


def neighbourhoods(knn: list[ItemKnnParams]) -> Knn:
    """The most neighbours that are asked for, by kind of pairs and weighting."""
    found: Knn = {}
    for model in knn:
        by_weighting = found.setdefault(pairs_of(model).name, {})
        most = max(by_weighting.get(model.weighting, 0), model.neighbours)
        by_weighting[model.weighting] = most
    return found


def sizes_of(asked: Asked, n_items: int) -> dict[str, tuple[int, int]]:
    """The shapes of the sums of the first pass."""
    sizes = dict.fromkeys(("shown", "liked"), (n_items, asked.window))
    sizes |= {f"level_{name}": (len(of) + 1, n_items) for name, of in asked.lowest.items()}
    return sizes | {f"n_{one.name}": (1, n_items) for one in asked.pairs}


def matrices(rows: DataFrame, sizes: dict[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    """The sums of these names, dense."""
    table = rows.toArrow()
    return {
        name: matrix_of(table.filter(pc.field("name") == name), size).toarray()
        for name, size in sizes.items()
    }


def save_ranked(folder: Path, name: str, found: pa.Table, n_items: int) -> None:
    """The neighbours of each item, best first, in the form of a CSR matrix."""
    rows = found.filter(pc.field("name") == name).sort_by("row")
    columns, values = (rows[part].to_pylist() for part in ("columns", "values"))
    sizes = np.zeros(n_items, dtype=np.int64)
    sizes[rows["row"].to_numpy()] = [len(part) // 4 for part in columns]
    save_csr(
        folder,
        name,
        np.frombuffer(b"".join(values), np.float32),
        np.frombuffer(b"".join(columns), np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
    )
