"""The lists of a revision with their metrics, parameters, code and data."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from core.params import kind_of, leaves
from core.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.bootstrap import seed_variance
from experiments.lock import checked_stages, files_of, params_of
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
        """Return a column of the lists."""
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
            names = {f"ap_{model}": "ap", f"ndcg_{model}": "ndcg"}
            wanted = ["user_id", "n_relevant", *names]
            if model == "hybrid":
                wanted += [name for name in file.schema_arrow.names if name.startswith("halves_")]
            lists = file.read(wanted, use_threads=False)
            lists = lists.rename_columns([names.get(name, name) for name in wanted])
            for name, value in (("fold", fold), ("window", window)):
                lists = lists.append_column(name, pa.repeat(value, len(lists)))
            of_folds.append(lists)
    return pa.concat_tables(of_folds)


def load(name: str, kind: str, model: str) -> Outcome:
    """Return the results of a revision for a model on the validation or the test folds."""
    revision = Revision(name)
    params, files = {}, {}
    for entry in checked_stages(revision).values():
        params |= params_of(entry)
        files |= files_of(entry)
    return Outcome(
        name=name,
        commit=revision.commit,
        params={leaf: of for key in params for leaf, of in leaves(params[key], f"{key}.").items()},
        code={path: md5 for path, md5 in files.items() if path.startswith("stages/")},
        data=files[TABLES],
        lists=lists_of(revision.open_out, "data/per_user", kind, model),
        has_seeds=model == "hybrid",
    )
