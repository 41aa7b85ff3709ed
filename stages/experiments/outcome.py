"""What a revision was judged by: its lists, and the parameters, code and data that made them.

All of this is taken from dvc.lock, which says what a stage really ran with. A revision whose
params.yaml says something else has results of other parameters, and is refused.
"""

from dataclasses import dataclass

from harness.script import InputError
from harness.tree import changes, leaves, look_up

import numpy as np
import pyarrow as pa

from experiments.revision import Revision

INTERACTIONS = "data/split/interactions.parquet"
WINDOW = "data/split/folds/{fold}.json"
SUMMARY = "metrics/{kind}.json"


@dataclass(frozen=True)
class Judge:
    """A stage that judges lists.

    lock, name  the file it is recorded in and its name there; folder  its files, one per fold
    before      what it needs of the stages in dvc.lock; None = all of them
    """

    lock: str
    name: str
    folder: str
    before: tuple[str, ...] | None = None


EVALUATE = Judge("dvc.lock", "evaluate", "data/per_user")
ALS_ALONE = Judge(
    "stages/trial/dvc.lock", "als_alone", "data/als_alone", ("download", "ingest", "split")
)


@dataclass(frozen=True)
class FoldLists:
    """The lists of one fold under one model: a row per user with a relevant item.

    window      number of the target window
    user_id     as in the source, ascending; n_relevant int32
    ap, ndcg    float64: AP@k and NDCG@k
    """

    window: int
    user_id: pa.ChunkedArray
    n_relevant: np.ndarray
    ap: np.ndarray
    ndcg: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """The lists of a revision, of one model on the folds of a kind.

    name     of the revision; commit its hash, '' for the workspace
    params   dotted key -> value; code  path -> md5; data  md5 of the interactions
    folds    fold -> lists, the latest first
    is_whole whether the whole pipeline ran, and not ALS alone
    seed_sd  of MAP@k, from the seeds of the ranker; None where there is none, or one seed alone
    """

    name: str
    commit: str
    params: dict[str, object]
    code: dict[str, str]
    data: str
    folds: dict[str, FoldLists]
    is_whole: bool
    seed_sd: float | None

    def pooled(self, metric: str) -> np.ndarray:
        """`ap` or `ndcg` of all folds, one after the other: float64 (n_lists,)."""
        return np.concatenate([getattr(fold, metric) for fold in self.folds.values()])

    @property
    def user(self) -> np.ndarray:
        """int32 (n_lists,): a number for each user, the same in all folds."""
        chunks = [chunk for fold in self.folds.values() for chunk in fold.user_id.chunks]
        return pa.chunked_array(chunks).combine_chunks().dictionary_encode().indices.to_numpy()


def recorded(revision: Revision, judge: Judge) -> list[dict]:
    """The entries in the lock files of a stage and of all before it; [] where it never ran. DVC
    keeps the entries of folds that are no longer asked for, which are left out.
    """
    own = revision.yaml(judge.lock).get("stages", {}).get(judge.name)
    if own is None:
        return []
    params = params_of([own])
    if any(key not in params for key in ("seed", "folds", "evaluate")):
        raise InputError(
            f"{revision.name}: {judge.lock} is of another version of the pipeline, whose results "
            "cannot be compared; run dvc repro there and commit"
        )
    folds = params["folds"]
    entries = [own]
    for name, entry in revision.yaml("dvc.lock").get("stages", {}).items():
        stage, _, fold = name.partition("@")
        if (judge.before is None or stage in judge.before) and (not fold or fold in folds):
            entries.append(entry)
    return entries


def params_of(entries: list[dict]) -> dict[str, object]:
    """Key -> value, where a key is one that a stage declares: a dotted one or a section."""
    return {
        key: value
        for entry in entries
        for key, value in entry.get("params", {}).get("params.yaml", {}).items()
    }


def code_of(entries: list[dict]) -> dict[str, str]:
    """Path -> md5 of files and folders of code."""
    deps = [dep for entry in entries for dep in entry.get("deps", [])]
    return {dep["path"]: dep["md5"] for dep in deps if dep["path"].startswith("stages/")}


def stale(params: dict[str, object], now: dict) -> list[str]:
    """What params.yaml says now of parameters that a stage ran with other values of: `als.alpha is
    5, not 1` for each.
    """
    return [
        f"{name} is {after}, not {before}"
        for key, value in params.items()
        for name, before, after in changes(key, value, look_up(now, key))
    ]


def judge_of(revision: Revision, model: str) -> tuple[Judge, list[dict]]:
    """The stage whose results are those of the revision's params.yaml, and its entries."""
    now = revision.yaml("params.yaml")
    entries, alone = (recorded(revision, judge) for judge in (EVALUATE, ALS_ALONE))
    lines = stale(params_of(entries), now)
    if entries and not lines:
        return EVALUATE, entries
    if alone and not stale(params_of(alone), now):
        if model == "als":
            return ALS_ALONE, alone
        raise InputError(f"{revision.name}: only ALS was judged there; compare by --model als")
    reason = f"ran before params.yaml was changed: {lines[0]}" if entries else "never ran"
    raise InputError(f"{revision.name}: `evaluate` {reason}; run dvc repro there and commit")


def fold_lists(revision: Revision, judge: Judge, fold: str, model: str) -> FoldLists:
    """The lists of one fold."""
    columns = ["user_id", "n_relevant", f"ap_{model}", f"ndcg_{model}"]
    table = revision.table(f"{judge.folder}/{fold}.parquet", columns)
    user_id, *numbers = (table[name] for name in columns)
    window = revision.json(WINDOW.format(fold=fold))["window"]
    return FoldLists(window, user_id, *(column.to_numpy() for column in numbers))


def seed_sd_of(revision: Revision, kind: str, model: str) -> float | None:
    """What metrics/KIND.json says of the hybrid; None for other models, and for 0."""
    if model != "hybrid":
        return None
    return revision.json(SUMMARY.format(kind=kind))["hybrid"]["seed_sd"] or None


def load(name: str, kind: str, model: str) -> Outcome:
    """The outcome of a revision, for a model on the validation or the test folds."""
    revision = Revision(name)
    judge, entries = judge_of(revision, model)
    params = params_of(entries)
    folds = [fold for fold in params["folds"] if fold.partition("_")[0] == kind]
    data = {out["path"]: out["md5"] for entry in entries for out in entry["outs"]}
    return Outcome(
        name=name,
        commit=revision.commit,
        params={
            leaf: value
            for key, of in params.items()
            for leaf, value in leaves(of, f"{key}.").items()
        },
        code=code_of(entries),
        data=data[INTERACTIONS],
        folds={fold: fold_lists(revision, judge, fold, model) for fold in folds},
        is_whole=judge is EVALUATE,
        seed_sd=seed_sd_of(revision, kind, model),
    )
