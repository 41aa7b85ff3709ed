"""Recommends the top k to the users of a file, new ones or known ones with other interactions, by
the trained models of the fold test.

usage: python stages/serve.py INTERACTIONS.parquet OUT.parquet
in:    INTERACTIONS.parquet: all that is known of these users, in time order, in the columns of the
       source's own interactions (stages/README.md has the columns that may be left out);
       data/tables, data/split, data/als/test.npz, data/ranker/features.json,
       data/ranker/test/SEED.txt, data/ranker/test/cold/SEED.txt
out:   OUT.parquet, by user, best first: user_id, item_id as in the source; rank int16, 1 is best;
       score float32

Models and item features come from the history of the fold test; user features come from the file,
and from the metadata of users in users.parquet. So a user with the interactions of that history
gets the list of data/recommendations/test.parquet. A user without a positive is cold and gets
recent popular items, in the order of the models for cold users.

No stage of dvc.yaml: people run it, after `dvc repro` and with the same params.yaml.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from core import factors, tables
from core.candidate_lists import split
from core.factors import Factors
from core.feedback import Channels
from core.history import History, history_of, load_fold
from core.params import SharedParams, section, shared_params
from core.script import InputError, report, run_script, whole
from core.top_lists import EvaluateParams, TopLists, top_k

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from families import FeaturesParams, families_of, feature_matrix, load_params
from families.context import Context, Users, load_context, metadata, rows_of
from models.als import AlsParams, fold_in, weighted
from models.model import Inputs
from models.popular import recent_popular
from models.registry import CandidatesParams, ScoresParams, SourcesParams, fit_all
from models.scoring import Served, candidate_lists
from rankers import trained
from rankers.scoring import Scorer, scores
from readers import DataParams
from readers.given import Given, read

FOLD = "test"
FACTORS, MODELS = factors.FOLDER / f"{FOLD}.npz", trained.FOLDER / FOLD
USERS_AT_ONCE = 4096  # what is held in memory beside the interactions grows with these two,
ROWS_AT_ONCE = 100_000  # not with the number of users


def paths_of(arguments: list[str]) -> tuple[Path, Path]:
    """INTERACTIONS.parquet and OUT.parquet."""
    if len(arguments) != 2:
        raise InputError(f"usage: python {sys.argv[0]} INTERACTIONS.parquet OUT.parquet")
    interactions, out = map(Path, arguments)
    if out.is_dir() or (out.exists() and interactions.exists() and out.samefile(interactions)):
        raise InputError(f"{out}: is a folder or the file of the interactions; name another file")
    return interactions, out


def context_of(given: Given, history: History, params: FeaturesParams) -> Context:
    """The context of the fold for the users of the file."""
    served = history_of(given.columns, history.n_windows, history.items)
    of_users = metadata(pq.read_table(tables.USERS), given.known[served.users])
    new_users = Users(served, of_users, Channels(served, given.columns))
    return replace(load_context(history, params), new_users=new_users)


def factors_of(given: Given, context: Context, params: AlsParams, shared: SharedParams) -> Factors:
    """The factors of the fold's items, and of the users of the file, who are folded in. InputError
    where ALS was fitted on other data, or with another width.
    """
    served, of_fold = context.served.history, factors.load(FOLD)
    is_same = np.array_equal(of_fold.items, context.history.items)
    if not is_same or of_fold.item_factors.shape[1] != params.factors:
        raise InputError(f"{FACTORS}: of other data, or of other als.factors; run dvc repro")
    positives = weighted(served, params, given.columns)
    of_users = fold_in(positives, of_fold.item_factors, params, shared.seed, shared.n_threads)
    return replace(of_fold, user_factors=of_users, users=served.users)


def check_features(scorer: Scorer, now: list[str]) -> None:
    """InputError where the models were trained on other features than params.yaml now makes."""
    now = [name.replace(" ", "_") for name in now]  # as LightGBM has them
    if scorer.boosters and scorer.boosters[0].feature_name() != now:
        raise InputError(
            f"{MODELS}: trained on other features than params.yaml now makes; run dvc repro"
        )


def top_lists(
    n_users: int,
    context: Context,
    of_als: Factors,
    params: CandidatesParams,
    features: FeaturesParams,
    k: int,
) -> Iterator[TopLists]:
    """The top k of n_users users of the context, block by block; `user` counts them from 0."""
    served, n_threads = context.served.history, context.n_threads
    inputs = Inputs(context.history, context.embeddings, n_threads, of_als, context.tags, served)
    settings = section("sources", SourcesParams)
    models = fit_all(params, settings, section("features.scores", ScoresParams), inputs)
    fallback = recent_popular(inputs, settings.recent_popular)
    alive = context.history.alive(params.alive_windows)
    lists_of = Served(served, models, params.sources, fallback, params.per_source, alive)
    warm, cold = (
        Scorer(trained.load(FOLD, group), families_of(context, names), served)
        for group, names in (("warm", features.groups), ("cold", features.cold_groups))
    )

    nobody = rows_of(candidate_lists(lists_of, np.arange(0), n_threads), served)
    for scorer in (warm, cold):
        check_features(scorer, feature_matrix(scorer.families, nobody).names)
    with tqdm(total=n_users, unit=" users", disable=None) as progress:
        for start in range(0, n_users, USERS_AT_ONCE):
            users = np.arange(start, min(start + USERS_AT_ONCE, n_users))
            for block in split(candidate_lists(lists_of, users, n_threads), ROWS_AT_ONCE):
                score = scores(block, warm, cold, n_threads)
                yield top_k(block.user, block.item, score.mean(axis=0), k)
            progress.update(len(users))


def main(arguments: list[str]) -> None:
    interactions, out = paths_of(arguments)
    if not MODELS.exists():
        raise InputError(f"{MODELS}: not found; the models are trained by dvc repro")
    shared, of_als = shared_params(), section("als", AlsParams)
    features, candidates = load_params(trained.FOLDER), section("candidates", CandidatesParams)
    data, k = section("data", DataParams), section("evaluate", EvaluateParams).k
    history, _ = load_fold(FOLD)
    given = read(
        interactions,
        data,
        history,
        strength=of_als.confidence == "strength",
        channels="channels" in {*features.groups, *features.cold_groups},
    )
    context = context_of(given, history, features)
    of_users = factors_of(given, context, of_als, shared)
    n_users, n_new = len(given.user_ids), np.count_nonzero(given.known < 0)
    n_cold = n_users - np.count_nonzero(context.served.history.n_positives)
    report(f"{n_users:,} users, {n_new:,} not in {tables.USERS}, {n_cold:,} without a positive")
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"].combine_chunks()
    user_id = pq.read_schema(tables.USERS).field("user_id").type
    ids = {"user_id": user_id, "item_id": item_ids.type}
    schema = pa.schema({**ids, "rank": pa.int16(), "score": pa.float32()})
    with (
        whole(out) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as file,
    ):
        for top in top_lists(n_users, context, of_users, candidates, features, k):
            columns = [given.user_ids.take(top.user), item_ids.take(top.item), top.rank, top.score]
            file.write_table(pa.table(columns, schema=schema))


if __name__ == "__main__":
    run_script(main)
