"""The lists of a revision with their metrics, parameters, code and data."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from core.params import changes, kind_of, leaves, look_up
from core.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.bootstrap import seed_variance
from experiments.revision import Revision

TABLES = "data/tables"
FOLDS = "data/split/folds.json"


@dataclass(frozen=True)
class Outcome:
    """The lists of one model of a revision on the validation or the test folds."""

    name: str
    commit: str  # '' for the workspace
    params: dict[str, object]  # dotted key -> value
    code: dict[str, str]  # path -> md5
    data: str  # md5 of the tables
    # user_id as in the source, n_relevant, ap, ndcg (at k), fold, window; latest fold first; for
    # the hybrid also halves_ap and halves_ndcg, see stages/evaluate.py
    lists: pa.Table
    has_seeds: bool  # whether the model depends on seeds of a ranker

    def values(self, column: str) -> np.ndarray:
        return self.lists[column].to_numpy()

    def seed_variance(self, metric: str, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return seed_variance() of ap or ndcg over these lists, float64 (2,); NaN if unknown."""
        name = f"halves_{metric}"
        if not self.has_seeds or name not in self.lists.column_names:
            return np.full(2, np.nan if self.has_seeds else 0.0)
        halves = np.stack(self.values(name)[rows])
        return np.array(seed_variance(halves, self.values("window")[rows]))

    @property
    def user(self) -> np.ndarray:
        """A number for each user, the same in all folds, int32 (n_lists,)."""
        return self.lists["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()


def lists_of(open_file: Callable[[str], BinaryIO], folder: str, kind: str, model: str) -> pa.Table:
    """Return the lists of a model on the folds of a kind; `folder` has a file for each fold."""
    of_folds = []
    for fold, window in json.load(open_file(FOLDS)).items():
        if kind_of(fold) == kind:
            # otherwise threads of pyarrow may still use the file when the interpreter ends
            file = pq.ParquetFile(open_file(f"{folder}/{fold}.parquet"), pre_buffer=False)
            known = [name[3:] for name in file.schema_arrow.names if name.startswith("ap_")]
            if model not in known:
                raise InputError(f"--model {model}: must be one of {', '.join(known)}")
            names = ["user_id", "n_relevant", f"ap_{model}", f"ndcg_{model}"]
            if model == "hybrid":
                names += ["halves_ap", "halves_ndcg"]  # absent for one model
            lists = file.read(names, use_threads=False)
            lists = lists.rename_columns(
                [of.removesuffix(f"_{model}") for of in lists.column_names]
            )
            for name, value in (("fold", fold), ("window", window)):
                lists = lists.append_column(name, pa.repeat(value, len(lists)))
            of_folds.append(lists)
    return pa.concat_tables(of_folds)


def params_of(entry: dict) -> dict[str, object]:
    """Return the recorded parameters: dotted key or section -> value."""
    return entry.get("params", {}).get("params.yaml", {})


def files_of(entry: dict) -> dict[str, str]:
    """Return path -> md5 of the files and folders that a stage read or wrote."""
    return {one["path"]: one["md5"] for one in (*entry.get("deps", []), *entry["outs"])}


def contradiction(revision: Revision, names: list[str], lock: dict[str, dict]) -> str | None:
    """Return a message about the first inconsistency, with stage and key or path."""
    for name in names:
        if any(other.startswith(f"{name}@") for other in lock) and name not in lock:
            return "made by an earlier version of the pipeline, whose results cannot be compared"
        if name not in lock:
            return f"`{name}` never ran"
    now = revision.tree("params.yaml")
    for name in names:
        for key, value in params_of(lock[name]).items():
            for leaf, before, after in changes(key, value, look_up(now, key)):
                return f"`{name}` ran with {leaf} {before}, and params.yaml has {after}"
    seen: dict[str, tuple[str, str]] = {}  # path -> md5 and the first stage that records it
    for name in names:
        for path, md5 in files_of(lock[name]).items():
            expected, first = seen.setdefault(path, (md5, name))
            if md5 != expected:
                return f"`{name}` ran with another {path} than `{first}`"
    for path, (expected, name) in seen.items():
        if not path.startswith("data/"):  # read from the cache, so present files do not matter
            md5, is_tracked = revision.md5_of(path), path.startswith(("stages/", "metrics/"))
            if md5 != expected and (md5 or is_tracked):
                return f"the run of `{name}` had another {path} than is there now"
    return None


def load(name: str, kind: str, model: str) -> Outcome:
    """Return the results of a revision for a model on the validation or the test folds.

    Raises InputError if the entries of its dvc.lock are inconsistent.
    """
    revision = Revision(name)
    lock = revision.tree("dvc.lock").get("stages", {})
    stages = [*revision.tree("dvc.yaml").get("stages", ["evaluate"])]
    if reason := contradiction(revision, stages, lock):
        raise InputError(f"{name}: {reason}; run dvc repro there and commit all")
    params, files = {}, {}
    for stage in stages:
        params |= params_of(lock[stage])
        files |= files_of(lock[stage])
    return Outcome(
        name=name,
        commit=revision.commit,
        params={leaf: of for key in params for leaf, of in leaves(params[key], f"{key}.").items()},
        code={path: md5 for path, md5 in files.items() if path.startswith("stages/")},
        data=files[TABLES],
        lists=lists_of(revision.open_out, "data/per_user", kind, model),
        has_seeds=model == "hybrid",
    )
