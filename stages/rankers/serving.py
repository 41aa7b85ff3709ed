"""Top k lists of any users by trained models, and where such models are."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core import factors, params, tables
from core.candidate_lists import Candidates, split
from core.factors import Factors
from core.history import INTERACTIONS, History, load_everything, load_fold
from core.lists import side_by_side
from core.params import parse_yaml, section
from core.script import InputError
from core.top_lists import TopLists, top_k

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from tqdm import tqdm

from families import families_of, feature_matrix, load_params
from families.context import Context, rows_of
from models.model import Inputs
from models.registry import CandidatesParams, ScoresParams, SourcesParams, served_by
from models.scoring import candidate_lists, parts_of
from rankers import trained
from rankers.scoring import Scorer, scores

EVERYONE = Path("data/everyone")
OF_EVERYONE = ("seed", "als", "sources", "candidates", "features.scores", "ranker", "evaluate.k")
ROWS_AT_ONCE = 50_000  # in each thread: what is held in memory grows with this, not with users


@dataclass(frozen=True)
class Place:
    """Where trained models are.

    factors  the file of ALS; rankers  the folder of the rankers, in that of features.json
    history  given candidates.new_items, returns the history that they were fitted on
    command  trains them
    """

    factors: Path
    rankers: Path
    history: Callable[[str], History]
    command: str


MODELS = {
    "test": Place(
        factors.FOLDER / "test.npz",
        trained.FOLDER / "test",
        lambda new_items: load_fold("test", new_items)[0],
        "dvc repro",
    ),
    "everyone": Place(
        EVERYONE / "als.npz",
        EVERYONE / "ranker",
        load_everything,
        "dvc repro stages/everyone/dvc.yaml",
    ),
}


def origin() -> dict[str, object]:
    """Return what the lists of everyone depend on: parameters, and the md5 of the interactions."""
    tree = parse_yaml(params.FILE.read_bytes(), str(params.FILE))
    with INTERACTIONS.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    return {**{key: params.look_up(tree, key) for key in OF_EVERYONE}, str(INTERACTIONS): digest}


def check_origin() -> None:
    """InputError where everyone's models were made with other parameters or interactions."""
    path = EVERYONE / "origin.json"
    if not path.exists():
        raise InputError(f"{EVERYONE}: not found; run {MODELS['everyone'].command}")
    made = json.loads(path.read_text(encoding="utf-8"))
    if other := [key for key, value in origin().items() if made.get(key) != value]:
        what = f"made with other values of {', '.join(other)}"
        raise InputError(f"{EVERYONE}: {what}; run {MODELS['everyone'].command}")


def check_features(scorer: Scorer, names: list[str], models: Place) -> None:
    """InputError where the models were trained on other features than params.yaml now makes."""
    names = [name.replace(" ", "_") for name in names]  # as LightGBM has them
    if scorer.boosters and scorer.boosters[0].feature_name() != names:
        line = "trained on other features than params.yaml now makes"
        raise InputError(f"{models.rankers}: {line}; run {models.command}")


def top_lists(
    users: np.ndarray, context: Context, of_als: Factors, models: Place, k: int
) -> Iterator[TopLists]:
    """Yield the top k of the users, ascending rows of users.parquet as in context.served, block by
    block.

    of_als  the factors of the context's items and of the users served
    """
    folder = models.rankers.parent
    features, candidates = load_params(folder), section("candidates", CandidatesParams)
    served, n_threads = context.served.history, context.n_threads
    inputs = Inputs(context.history, context.embeddings, n_threads, of_als, context.tags, served)
    settings, of_scores = (
        section("sources", SourcesParams),
        section("features.scores", ScoresParams),
    )
    lists_of = served_by(inputs, candidates, settings, of_scores)
    groups = {"warm": features.groups, "cold": features.cold_groups}
    nobody = rows_of(candidate_lists(lists_of, users[:0], n_threads), served)
    scorers = []
    for group, names in groups.items():
        boosters = trained.load(models.rankers.name, group, folder)
        scorers.append(Scorer(boosters, families_of(context, names), served))
        check_features(scorers[-1], feature_matrix(scorers[-1].families, nobody).names, models)

    def top_of(lists: Candidates) -> TopLists:
        score = scores(lists, *scorers, n_threads=1).mean(axis=0)
        return top_k(lists.user, lists.item, score, k)

    with tqdm(total=len(users), unit=" users", disable=None) as progress:
        for part in parts_of(users):
            blocks = split(candidate_lists(lists_of, part, n_threads), ROWS_AT_ONCE)
            yield from side_by_side(top_of, blocks, n_threads)
            progress.update(len(part))


def write(path: Path, form: str, user_ids: pa.Array, tops: Iterator[TopLists]) -> np.ndarray:
    """Write user_id, item_id, rank and score. Return the number of items of each user, int64.

    form  .parquet or .csv; user_ids  `user` of the lists is a place in them
    """
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"].combine_chunks()
    user_id = pq.read_schema(tables.USERS).field("user_id").type
    ids = {"user_id": user_id, "item_id": item_ids.type}
    schema = pa.schema({**ids, "rank": pa.int16(), "score": pa.float32()})
    n_of_user = np.zeros(len(user_ids), dtype=np.int64)
    writer = csv.CSVWriter if form == ".csv" else partial(pq.ParquetWriter, compression="zstd")
    with writer(path, schema) as file:
        for top in tops:
            columns = [user_ids.take(top.user), item_ids.take(top.item), top.rank, top.score]
            file.write_table(pa.table(columns, schema=schema))
            np.add.at(n_of_user, top.user, 1)
    return n_of_user
