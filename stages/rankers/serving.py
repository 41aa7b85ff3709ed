"""Computes top-k lists of any users by trained models, and locates these models."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core import factors, params
from core.candidate_lists import ROWS_AT_ONCE, Candidates, split
from core.factors import Factors
from core.history import INTERACTIONS
from core.lists import side_by_side
from core.params import section
from core.script import InputError, report
from core.top_lists import TopLists, top_k

import numpy as np
from tqdm import tqdm

from families import feature_matrix, load_params
from families.context import Context, rows_of
from models.model import Inputs
from models.registry import CandidatesParams, ScoresParams, SourcesParams, served_by
from models.scoring import Served, candidate_lists, parts_of
from rankers import trained
from rankers.scoring import scorer_of, scores

EVERYONE = Path("data/everyone")
OF_EVERYONE = ("seed", "als", "sources", "candidates", "features.scores", "ranker", "evaluate.k")
OF_EVERYONE += ("everyone",)


@dataclass(frozen=True)
class Place:
    """The location of trained models."""

    fold: str | None  # fold of the history that they were fitted on; None: the whole log
    factors: Path  # file of ALS
    rankers: Path  # folder of the rankers; its parent has features.json
    command: str  # trains them


TRAIN_EVERYONE = "dvc repro stages/everyone/dvc.yaml"
MODELS = {
    "test": Place("test", factors.FOLDER / "test.npz", trained.FOLDER / "test", "dvc repro"),
    "everyone": Place(None, EVERYONE / "als.npz", EVERYONE / "ranker", TRAIN_EVERYONE),
}


def origin() -> dict[str, object]:
    """Return parameters and md5 of the interactions that the lists of everyone depend on."""
    tree = params.load()
    with INTERACTIONS.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    return {**{key: params.look_up(tree, key) for key in OF_EVERYONE}, str(INTERACTIONS): digest}


def check_origin() -> None:
    """Raise InputError if parameters or data changed since everyone's models were fitted."""
    path = EVERYONE / "origin.json"
    if not path.exists():
        raise InputError(f"{EVERYONE}: not found; run {TRAIN_EVERYONE}")
    made = json.loads(path.read_text(encoding="utf-8"))
    if other := [key for key, value in origin().items() if made.get(key) != value]:
        what = f"made with other values of {', '.join(other)}"
        raise InputError(f"{EVERYONE}: {what}; run {TRAIN_EVERYONE}")


def among(lists_of: Served, allowed: np.ndarray) -> Served:
    """Return inputs of candidate_lists() that allow only some items, bool (n_items,)."""
    alive = allowed if lists_of.alive is None else allowed & lists_of.alive
    is_new = None if lists_of.is_new is None else allowed & lists_of.is_new
    return replace(lists_of, alive=alive, is_new=is_new)


def top_lists(
    users: np.ndarray,
    context: Context,
    of_als: Factors,
    models: Place,
    k: int,
    allowed: np.ndarray | None = None,
) -> Iterator[TopLists]:
    """Yield the top k of users in blocks.

    users    rows of users.parquet, ascending, as in context.served
    of_als   factors of the context's items and of the served users
    allowed  bool (n_items,): the items that may be recommended; None means all
    """
    folder = models.rankers.parent
    features, candidates = load_params(folder), section("candidates", CandidatesParams)
    served, n_threads = context.served.history, context.n_threads
    inputs = Inputs(context.history, context.embeddings, n_threads, of_als, context.tags, served)
    settings = section("sources", SourcesParams), section("features.scores", ScoresParams)
    lists_of = served_by(inputs, candidates, *settings)
    if allowed is not None and not allowed.all():
        lists_of = among(lists_of, allowed)
    nobody = rows_of(candidate_lists(lists_of, users[:0], n_threads), served)
    scorer = scorer_of(trained.load(models.rankers.name, folder), context, features.groups)
    names = feature_matrix(scorer.families, nobody).names
    if scorer.boosters[0].feature_name() != [name.replace(" ", "_") for name in names]:
        line = "trained on other features than those of params.yaml"
        raise InputError(f"{models.rankers}: {line}; run {models.command}")

    def top_of(lists: Candidates) -> TopLists:
        score = scores(lists, scorer, n_threads=1).mean(axis=0)
        return top_k(lists.user, lists.item, score, k)

    with tqdm(total=len(users), unit=" users", disable=None) as progress:
        for part in parts_of(users):
            blocks = split(candidate_lists(lists_of, part, n_threads), ROWS_AT_ONCE)
            yield from side_by_side(top_of, blocks, n_threads)
            progress.update(len(part))


def report_short(n_of_user: np.ndarray, k: int) -> None:
    """Print how many users get fewer than k items. n_of_user  int (n_users,)"""
    n_short, n_none = np.count_nonzero(n_of_user < k), np.count_nonzero(n_of_user == 0)
    if n_short:
        report(
            f"{n_short:,} users get fewer than {k} items, {n_none:,} of them none: they have seen"
            " all other items that can be recommended"
        )
