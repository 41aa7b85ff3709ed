"""Small logs that a test can rewrite, and runs of the stages on them in this process.

A layout makes a log, writes it as files of its data source, and has the parameters of the run.
Together, the layouts use every model, family and option.
"""

import importlib
import inspect
import shutil
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import movielens_like
import simulator
from clone import FOLDS, SMALL, TOP, Clone
from families import FAMILIES
from models.registry import MODELS

N_WINDOWS = SMALL["split.windows"]
TARGET = {fold: N_WINDOWS - behind for behind, fold in enumerate(FOLDS, start=1)}
EVERYTHING = {
    "candidates.sources": list(MODELS),
    "candidates.label_users": 50,  # fewer than there are, so that some are drawn
    "features.groups": list(FAMILIES),
    "ranker.train_folds": 3,
    "evaluate.n_resamples": 100,
}
EMBEDDING = "embedding_"


@dataclass(frozen=True)
class Log:
    """A log and its metadata.

    rows   user_id, item_id, feedback columns; window; in time order
    users  user_id and metadata; items  the same for items
    """

    rows: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame


@dataclass(frozen=True)
class Layout:
    """A data source: parameters of a run, and functions that make its log and write its files."""

    params: dict[str, object]
    make: Callable[[Path], Log]
    write: Callable[[Path, Log], None]


def make_movielens(folder: Path) -> Log:
    """Return a log with the windows of `split`, an unknown user and three unknown items."""
    movielens_like.write(folder)
    rows, items, users = (
        movielens_like.read_ratings(folder / f"ml-1m.{name}", str)
        for name in ("inter", "item", "user")
    )
    rows = rows.astype({"rating": int, "timestamp": int})
    rows = rows.sort_values("timestamp", kind="stable").reset_index(drop=True)
    parts = np.array_split(np.arange(len(rows)), N_WINDOWS)
    rows["window"] = np.repeat(np.arange(N_WINDOWS), [len(part) for part in parts])
    first = users.iloc[0].replace({users.loc[0, "user_id"]: "0_first"})
    first[["occupation", "gender"]] = ["-1", "A"]  # levels that no other has, before all others
    users = pd.concat([first.to_frame().T, users], ignore_index=True)
    rows.loc[rows.index[-1:], "user_id"] = "0_first"
    new = items.iloc[:3].assign(
        item_id=[f"{word} New Night (2001)" for word in ("A", "Mad", "Zoo")],
        movie_title=[f"{word} New Night" for word in ("A", "Mad", "Zoo")],
    )
    return Log(rows, users, pd.concat([items, new], ignore_index=True))


def write_movielens(folder: Path, log: Log) -> None:
    folder.mkdir(parents=True)
    movielens_like.write_ratings(folder / "ml-1m.inter", log.rows.drop(columns="window"))
    for name, frame in (("item", log.items), ("user", log.users)):
        header = [f"{column}:token" for column in frame.columns]
        frame.to_csv(folder / f"ml-1m.{name}", sep="\t", index=False, header=header, quoting=3)


def make_lsvd(folder: Path) -> Log:
    simulator.write_lsvd(folder, users=160, items=220, rows=9_000, weeks=N_WINDOWS, seed=1)
    weeks = sorted((folder / "interactions").rglob("*.parquet"), key=lambda path: path.stem)
    rows = [pq.read_table(path).to_pandas().assign(window=n) for n, path in enumerate(weeks)]
    users, items = (
        pq.read_table(folder / f"metadata/{name}_metadata.parquet").to_pandas()
        for name in ("users", "items")
    )
    with np.load(folder / "metadata/item_embeddings.npz") as arrays:
        vectors = pd.DataFrame(arrays["embedding"], index=arrays["item_id"])
    items = items.join(vectors.add_prefix(EMBEDDING), on="item_id")
    return Log(pd.concat(rows, ignore_index=True), users, items)


def write_lsvd(folder: Path, log: Log) -> None:
    for week in range(N_WINDOWS):
        part = {N_WINDOWS - 1: "test", N_WINDOWS - 2: "validation"}.get(week, "train")
        path = folder / "interactions" / part / f"week_{week:02}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = log.rows[log.rows["window"] == week].drop(columns="window")
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path)
    vectors = [name for name in log.items.columns if name.startswith(EMBEDDING)]
    metadata = folder / "metadata"
    metadata.mkdir()
    for name, frame in (("users", log.users), ("items", log.items.drop(columns=vectors))):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table, metadata / f"{name}_metadata.parquet")
    np.savez(
        metadata / "item_embeddings.npz",
        item_id=log.items["item_id"].to_numpy(),
        embedding=log.items[vectors].to_numpy(np.float16),
    )


LAYOUTS = {
    "movielens-1m": Layout({"data.positive": "rating >= 4"}, make_movielens, write_movielens),
    "vk-lsvd": Layout(
        {
            "data.positive": "timespent > 5",
            "als.confidence": "strength",
            "als.half_life": 3.0,
            "sources.item_knn.half_life": 2.0,
            "sources.ease.half_life": 2.0,
            "features.scores.ease_exposures.half_life": 2.0,
            "ranker.objective": "lambdarank",
            "ranker.label": "graded",
            "ranker.min_data_in_leaf": 10,
        },
        make_lsvd,
        write_lsvd,
    ),
}


def write_params(folder: Path, values: dict[str, object]) -> None:
    """Write params.yaml of the repository with these values of dotted keys."""
    shutil.copy(TOP / "params.yaml", folder)
    Clone(folder, folder).set_params(values)


def run_stages(folder: Path, source: str, log: Log, *more: str) -> None:
    """Write the log into folder/raw and run the stages from ingest to baselines, and `more`."""
    layout = LAYOUTS[source]
    layout.write(folder / "raw", log)
    shared = {key: SMALL[key] for key in SMALL if not key.startswith("data.")}
    data = {"data.source": source, "data.path": "raw"}
    write_params(folder, {**shared, **EVERYTHING, **layout.params, **data})
    run_mains(folder, *UP_TO_RECOMMEND, "baselines", *more)


UP_TO_RECOMMEND = ("ingest", "split", "als", "candidates", "features", "ranker", "recommend")


def run_mains(folder: Path, *names: str) -> None:
    """Run stages in this process."""
    with chdir(folder):
        for name in names:
            main = importlib.import_module(name).main
            main(*([[]] if inspect.signature(main).parameters else []))
