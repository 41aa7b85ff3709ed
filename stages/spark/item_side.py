"""Sums up what each fold needs about items: counts, levels, neighbours, weights of EASE.

usage: python stages/spark/item_side.py
in:    in spark.folder: logs, items, schema; metrics/spark/receipts/windows.json,
       metrics/spark/receipts/ingest.json
out:   in spark.folder: item_side/FOLD.items, whose files are listed in engine/item_side.py
       metrics/spark/receipts/item_side.json
"""

import sys

sys.path[0] += "/.."  # the packages of stages/

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from core.params import is_judged, shared_params
from core.script import report, run_script

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from models.ease import most_frequent, weights_of_gram
from spark.engine.als import known_items
from spark.engine.blocks import flat
from spark.engine.data_sets import data_sets, folds_in
from spark.engine.item_side import CSR, ITEM_SIDE, name_of
from spark.engine.models import FITTED, Model, models_in_use, settings_in_use
from spark.engine.totals import (
    Asked,
    Knn,
    count,
    entries_of,
    lowest_levels,
    matrix_of,
    nearest,
    pair,
    pairs_of,
    sums,
)
from spark.raw.tables import Schema


@dataclass(frozen=True)
class Catalogue:
    """All items, by row number, and the schema of their columns."""

    table: pa.Table
    schema: Schema

    @classmethod
    def read(cls, items: DataFrame, schema: Schema) -> "Catalogue":
        columns = [*schema.items, "tag", "share", "embedding"]
        return cls(items.select("item", *columns).toArrow().sort_by("item"), schema)

    def save(self, folder: Path, items: np.ndarray) -> None:
        """Write the files of these items."""
        table = self.table.take(pa.array(items))
        sizes = pc.list_value_length(table["tag"]).to_numpy()
        share, tag = flat(table["share"]), flat(table["tag"])
        save_csr(folder, "tags", share.astype(np.float32), tag.astype(np.int32), sizes)
        embeddings = flat(table["embedding"]).astype(np.float32).reshape(len(items), -1)
        np.save(folder / "embeddings.npy", embeddings)
        pq.write_table(table.select(list(self.schema.items)), folder / "features.parquet")


def save_csr(
    folder: Path, name: str, data: np.ndarray, indices: np.ndarray, sizes: np.ndarray
) -> None:
    """Write the arrays of a CSR matrix. sizes  number of entries of each row"""
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    for part, values in zip(CSR, (data, indices, indptr), strict=True):
        np.save(folder / f"{name}_{part}.npy", values)


def build(
    logs: DataFrame, window: int, catalogue: Catalogue, models: Collection[Model]
) -> Callable[[Path], None]:
    """Return a function that writes the item side of a fold into a folder."""
    items, schema = known_items(logs, window), catalogue.schema
    fitted = {name_of(model): model for model in models if model[0] in FITTED}
    pairs = list(dict.fromkeys(pairs_of(params) for _, params in fitted.values()))
    lowest = lowest_levels(logs, window, schema.users)
    asked = Asked(window, items, schema.users, lowest, pairs, {})
    counted = matrices(sums(logs, count, asked), sizes_of(asked))
    n_entries = {one.name: counted[f"n_{one.name}"][0] for one in pairs}
    known = {
        one.name: most_frequent(n_entries[one.name], one.most_items)
        for one in pairs
        if one.most_items
    }
    for most in sorted({len(of) for of in known.values() if len(of) < len(items)}):
        report(f"EASE uses the {most:,} most popular of {len(items):,} items (max_items)")
    knn: Knn = {}
    for name, (kind, params) in fitted.items():
        if kind == "item_knn":
            knn.setdefault(pairs_of(params).name, {})[name] = params
    asked = Asked(window, items, schema.users, lowest, pairs, known)
    found = nearest(sums(logs, pair, asked), n_entries, knn).toArrow()

    def save(folder: Path) -> None:
        np.save(folder / "items.npy", items)
        for name in ("shown", "liked"):
            np.save(folder / f"{name}.npy", counted[name].astype(np.int32))
        for name, values in lowest.items():
            np.save(folder / f"lowest_{name}.npy", values)
            np.save(folder / f"level_{name}.npy", counted[f"level_{name}"])
        for name, (kind, params) in fitted.items():
            if kind == "item_knn":
                rows = found.filter(pc.field("name") == name).sort_by("row")
                row, column, value = entries_of(rows)
                save_csr(folder, name, value, column, np.bincount(row, minlength=len(items)))
                continue
            own = known[pairs_of(params).name]
            rows = found.filter(pc.field("name") == pairs_of(params).name)
            gram = matrix_of(rows, (len(own), len(own))).toarray().astype(np.float32)
            np.save(folder / f"{name}_items.npy", own)
            np.save(folder / f"{name}_weights.npy", weights_of_gram(gram, params.l2, 1))
        catalogue.save(folder, items)
        fold = {"window": window, "n_items": len(items), "n_tags": schema.n_tags}
        fold |= {"users": schema.users, "items": schema.items}
        (folder / "fold.json").write_text(json.dumps(fold), encoding="utf-8")

    return save


def sizes_of(asked: Asked) -> dict[str, tuple[int, int]]:
    """Return the shape of each matrix that the first pass over the log sums, by name."""
    n_items = len(asked.items)
    sizes = dict.fromkeys(("shown", "liked"), (n_items, asked.window))
    sizes |= {f"level_{name}": (len(of) + 1, n_items) for name, of in asked.lowest.items()}
    return sizes | {f"n_{one.name}": (1, n_items) for one in asked.pairs}


def matrices(rows: DataFrame, sizes: dict[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    """Return the sums as dense matrices by name."""
    table = rows.toArrow()
    return {
        name: matrix_of(table.filter(pc.field("name") == name), size).toarray()
        for name, size in sizes.items()
    }


def main() -> None:
    shared, models, settings = shared_params(), [*models_in_use().values()], settings_in_use()
    baselines = [(name, one) for name, of in settings.items() for one in of.values()]
    with data_sets("item_side") as sets:
        logs = sets.read("windows", "logs")
        catalogue = Catalogue.read(sets.read("ingest", "items"), Schema.read(sets))
        for fold, window in folds_in(sets, shared).windows.items():
            wanted = [*models, *(baselines if is_judged(fold) else [])]
            save = build(logs, window, catalogue, wanted)
            made = sets.write_folder(ITEM_SIDE.format(fold=fold), save)
            report(f"{fold}: {made['rows']} files")


if __name__ == "__main__":
    run_script(main)
