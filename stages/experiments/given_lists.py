"""Evaluates top-k lists of other models on the target windows of the workspace."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from core import folds, metrics, tables
from core.candidate_lists import CandidateListParams
from core.history import History, load_fold
from core.params import kind_of, section, shared_params
from core.script import InputError
from core.top_lists import TopLists

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from experiments.outcome import Outcome
from readers.ids import rows_of
from readers.parquet import is_string
from readers.table_files import Rows, read_rows

RANKS = "1, 2, 3, … in each list, without a gap or a repeated rank"


def read(path: Path) -> pd.DataFrame:
    """Read lists from CSV, TSV or Parquet with the columns fold, user_id, item_id and rank.

    Returns fold, user and item (rows of users.parquet and items.parquet) and rank.

    Raises InputError with the first bad row for an unknown fold, user or item, for ranks that are
    not RANKS, and for an item that occurs twice in a list.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found")
    rows = read_rows(path.parent, path.name, ("fold", "user_id", "item_id", "rank"), key="--lists")
    lists = pd.DataFrame({"fold": rows.typed("fold").to_pylist()})
    judged = folds.load().judged
    rows.refuse("fold", ~lists["fold"].isin(judged), f"one of {', '.join(judged)}")
    lists["user"] = _rows_of(rows, tables.USERS, "user_id")
    lists["item"] = _rows_of(rows, tables.ITEMS, "item_id")
    rank = rows.read_as("rank", (pa.int64(),), RANKS).cast(pa.float64())
    lists["rank"] = rank.fill_null(0).to_numpy()
    place = lists.groupby(["fold", "user"])["rank"].rank(method="first")
    rows.refuse("rank", place != lists["rank"], RANKS)
    lists["rank"] = lists["rank"].astype(int)
    is_twice = lists.duplicated(["fold", "user", "item"])
    rows.refuse("item_id", is_twice, "another item at each rank of a list")
    return lists


def _rows_of(rows: Rows, path: Path, name: str) -> np.ndarray:
    """Return the row of each id in users.parquet or items.parquet, int32 (n_rows,)."""
    known, wanted = tables.ids(path), f"a value of {name} in {path}"
    is_text = is_string(known.type)
    given = rows.table[name] if is_text else rows.read_as(name, (pa.int64(),), wanted)
    found = rows_of(known, given, f"{rows.where}: {name}")
    rows.refuse(name, found < 0, wanted)
    return found


def judge(
    given: dict[str, pd.DataFrame], reference: Outcome, kind: str
) -> tuple[list[Outcome], dict[str, Counter]]:
    """Return the reference and the outcome of each file, and the counts of each file (counts_of).

    Lists are evaluated on the folds of the kind that all files have.

    reference  outcome of the workspace
    Raises InputError if data/split has changed since the reference was evaluated.
    """
    common = set.intersection(*(set(lists["fold"]) for lists in given.values()))
    common = sorted(fold for fold in common if kind_of(fold) == kind)
    if not common:
        raise InputError(f"{', '.join(given)}: no {kind} fold is in all of the files; see --fold")
    is_common = pc.is_in(reference.lists["fold"], value_set=pa.array(common))
    reference = replace(reference, lists=reference.lists.filter(is_common))
    k, of_list = reference.params["evaluate.k"], reference.values("fold")
    values = {name: np.zeros((2, len(of_list))) for name in given}  # ap and ndcg
    counts = {name: Counter() for name in given}
    candidates, seed = section("candidates", CandidateListParams), shared_params().seed
    user_ids = tables.ids(tables.USERS)
    for fold in common:
        history, target = load_fold(fold, candidates, seed)
        users, n_relevant = np.unique(target.user, return_counts=True)
        at = of_list == fold
        found = {"user_id": user_ids.take(users), "n_relevant": n_relevant.astype(np.int32)}
        if not reference.lists.filter(at).select(list(found)).equals(pa.table(found)):
            raise InputError("data/split is not the one of dvc.lock; run dvc checkout or dvc repro")
        for name, lists in given.items():
            top = lists[(lists["fold"] == fold) & (lists["rank"] <= k)]
            columns = (top[of].to_numpy() for of in ("user", "item", "rank"))
            hits = TopLists(*columns, np.zeros(len(top))).hits(target, users, k)
            for row, metric in enumerate((metrics.average_precision, metrics.ndcg)):
                values[name][row, at] = metric(hits, n_relevant)
            counts[name].update(counts_of(top, users, history, k))
    outcomes = [reference]
    for name, of in values.items():
        lists = reference.lists.select(["user_id", "n_relevant", "fold", "window"])
        lists = lists.append_column("ap", pa.array(of[0])).append_column("ndcg", pa.array(of[1]))
        outcomes.append(replace(reference, name=name, lists=lists, has_seeds=False))
    return outcomes, counts


def counts_of(top: pd.DataFrame, users: np.ndarray, history: History, k: int) -> dict[str, int]:
    """Return counts of the top k of one fold.

    n_missing is the number of judged users without a list, which counts as 0; n_short of judged
    lists with fewer than k items; n_seen of their items that the user has seen, which are never
    relevant; n_not_judged of lists of other users.
    """
    length = top["user"].value_counts()
    is_judged = length.index.isin(users)
    top = top[top["user"].isin(users)]
    user, item = history.user_of(top["user"].to_numpy()), history.item_of(top["item"].to_numpy())
    known = (user >= 0) & (item >= 0)
    return {
        "n_missing": len(users) - int(is_judged.sum()),
        "n_short": int((length[is_judged] < k).sum()),
        "n_seen": int(history.exposures[user[known], item[known]].sum()),
        "n_not_judged": int((~is_judged).sum()),
    }
