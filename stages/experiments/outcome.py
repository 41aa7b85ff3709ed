"""The lists of a revision with their metrics, and the parameters, code and data that made them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from core.params import kind_of, leaves, look_up
from core.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.lock import checked_stages, files_of, params_of
from experiments.revision import Revision

TABLES = "data/tables"
FOLDS = "data/split/folds.json"


@dataclass(frozen=True)
class Outcome:
    """The lists of a revision, of one model on the folds of a kind.

    name     of the revision; commit: its hash, '' for the workspace
    params   dotted key -> value; code: path -> md5; data: md5 of the tables
    lists    user_id as in the source, n_relevant, ap, ndcg (AP@k and NDCG@k), fold, window: a row
             per list, those of the latest fold first, by user_id
    seed_sd  standard deviation of MAP@k over seeds of the ranker; 0 for models without a ranker;
             None where it is unknown, since the ranker has one seed
    """

    name: str
    commit: str
    params: dict[str, object]
    code: dict[str, str]
    data: str
    lists: pa.Table
    seed_sd: float | None

    def values(self, column: str) -> np.ndarray:
        """A column of the lists."""
        return self.lists[column].to_numpy()

    @property
    def user(self) -> np.ndarray:
        """int32 (n_lists,): a number for each user, the same in all folds."""
        return self.lists["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()


def lists_of(open_file: Callable[[str], BinaryIO], folder: str, kind: str, model: str) -> pa.Table:
    """The lists of a model on the folds of a kind; folder: the path of a file per fold."""
    of_folds = []
    for fold, window in json.load(open_file(FOLDS)).items():
        if kind_of(fold) == kind:
            lists = table_of(open_file(f"{folder}/{fold}.parquet"), model)
            for name, value in (("fold", fold), ("window", window)):
                lists = lists.append_column(name, pa.repeat(value, len(lists)))
            of_folds.append(lists)
    return pa.concat_tables(of_folds)


def table_of(file: BinaryIO, model: str) -> pa.Table:
    """The columns of a model."""
    # pyarrow's own threads may still hold a file of Python when the interpreter ends, and abort it
    parquet = pq.ParquetFile(file, pre_buffer=False)
    known = [name[3:] for name in parquet.schema_arrow.names if name.startswith("ap_")]
    if model not in known:
        raise InputError(f"--model {model}: must be one of {', '.join(known)}")
    names = ["user_id", "n_relevant", f"ap_{model}", f"ndcg_{model}"]
    table = parquet.read(names, use_threads=False)
    return table.rename_columns(["user_id", "n_relevant", "ap", "ndcg"])


def load(name: str, kind: str, model: str) -> Outcome:
    """The outcome of a revision, for a model on the validation or the test folds."""
    revision = Revision(name)
    params, files = {}, {}
    for entry in checked_stages(revision).values():
        params |= params_of(entry)
        files |= files_of(entry)
    summary = revision.tree(f"metrics/{kind}.json") if model == "hybrid" else None
    return Outcome(
        name=name,
        commit=revision.commit,
        params={leaf: of for key in params for leaf, of in leaves(params[key], f"{key}.").items()},
        code={path: md5 for path, md5 in files.items() if path.startswith("stages/")},
        data=files[TABLES],
        lists=lists_of(revision.open_out, "data/per_user", kind, model),
        seed_sd=(look_up(summary, "hybrid.seed_sd") or None) if summary is not None else 0.0,
    )
