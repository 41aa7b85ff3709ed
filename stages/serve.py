"""Recommends the top k to the users of a file, new ones or known ones with other interactions, by
the trained models of the fold test.

usage: python stages/serve.py INTERACTIONS.parquet OUT.parquet
in:    INTERACTIONS.parquet: all that is known of these users, in time order, in the columns of the
       source's own interactions; which may be left out, stages/README.md says
       data/split/interactions.parquet, data/split/channels.parquet, data/split/windows.csv,
       data/split/folds/test.json, data/users.parquet, data/items.parquet, data/item_tags.npz,
       data/item_embeddings.npy, data/als/test.npz, data/ranker/test/SEED.txt,
       data/ranker/test/cold/SEED.txt
out:   OUT.parquet, by user, best first: user_id, item_id as in the source; rank int16, 1 is best;
       score float32

All that is said of items comes from the history of the fold test, on which the models were fitted;
what is said of a user, from the file alone, but for the metadata of a user of users.parquet. So
a user with the interactions of that history gets the list of data/recommendations/test.parquet. A
user without a positive is cold and gets recent popular items, in the order of models of their own.

No stage of dvc.yaml: people run it, after `dvc repro` and with the same params.yaml.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.params import SharedParams, section, shared_params
from harness.script import InputError, report, run_script, whole

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from boosting import models
from evaluation.top_lists import EvaluateParams, TopLists, top_k
from factorization.als import AlsParams, fold_in, weighted
from families import (
    FeaturesParams,
    families_of,
    feature_matrix,
    load_context,
    rows_of,
)
from families.context import Context, Users, metadata
from feedback.channels import Channels
from feedback.columns import CHANNELS
from folds import factors, tables
from folds.candidate_lists import Candidates, split
from folds.factors import Factors
from folds.history import INTERACTIONS, TARGET_WINDOW, History, history_of, load_fold
from ranking.scores import Scorer, scores
from readers import DataParams
from retrieval import CandidatesParams, Inputs, SourcesParams, fit_all
from retrieval.source import lists_of
from serving.given import Given, read

FOLD = "test"
USERS_AT_ONCE = 4096  # what is held in memory beside the interactions grows with these two,
ROWS_AT_ONCE = 100_000  # not with the number of users
COLUMNS = {"rank": pa.int16(), "score": pa.float32()}  # after the ids


def paths_of(arguments: list[str]) -> tuple[Path, Path]:
    """INTERACTIONS.parquet and OUT.parquet."""
    if len(arguments) != 3:
        raise InputError(f"usage: python {arguments[0]} INTERACTIONS.parquet OUT.parquet")
    interactions, out = map(Path, arguments[1:])
    if out.exists() and interactions.exists() and out.samefile(interactions):
        raise InputError(f"{out}: is the file of the interactions; name another one to write")
    return interactions, out


def check_trained() -> None:
    """InputError where the fold has no trained models, or what they need is not there."""
    needed = (
        INTERACTIONS,
        TARGET_WINDOW.format(fold=FOLD),
        CHANNELS,
        tables.USERS,
        tables.ITEMS,
        tables.TAGS,
        tables.EMBEDDINGS,
        factors.FACTORS.format(fold=FOLD),
        models.FOLDER / FOLD,
    )
    for path in map(Path, needed):
        if not path.exists():
            raise InputError(f"{path}: not found; the models are trained by dvc repro")


def check_factors(of_fold: Factors, history: History, als: AlsParams) -> None:
    """InputError where the factors are not of this history, or of another width."""
    path = factors.FACTORS.format(fold=FOLD)
    if not np.array_equal(of_fold.items, history.items):
        raise InputError(f"{path}: of other data than {INTERACTIONS}; run dvc repro")
    if of_fold.item_factors.shape[1] != als.factors:
        raise InputError(
            f"{path}: {of_fold.item_factors.shape[1]} factors, but als.factors of params.yaml is"
            f" now {als.factors}; run dvc repro"
        )


def context_of(
    given: Given, history: History, params: FeaturesParams, als: AlsParams, shared: SharedParams
) -> Context:
    """The context of the fold for the users of the file, who are folded in."""
    served = history_of(given.columns, history.n_windows, history.items)
    of_users = metadata(pq.read_table(tables.USERS), given.known[served.users])
    context = load_context(FOLD, history, params)
    check_factors(context.factors, history, als)
    positives = weighted(served, als, given.columns)
    user_factors = fold_in(positives, context.factors.item_factors, als, shared)
    return replace(
        context,
        factors=Factors(user_factors, context.factors.item_factors, served.users, served.items),
        new_users=Users(served, of_users, Channels(served, given.columns)),
    )


def check_features(boosters: list, now: list[str]) -> None:
    """InputError where the models were trained on other features than params.yaml now makes."""
    now = [name.replace(" ", "_") for name in now]  # as LightGBM has them
    trained = models.features_of(boosters) if boosters else now
    if now != trained:
        others = sorted({*now} ^ {*trained})
        raise InputError(
            f"{models.FOLDER / FOLD}: trained on {len(trained)} features, but params.yaml now makes"
            f" {len(now)} ({others[0] if others else 'in another order'}); run dvc repro"
        )


def top_lists(
    n_users: int, context: Context, params: CandidatesParams, features: FeaturesParams, k: int
) -> Iterator[TopLists]:
    """The top k of n_users users of the context, block by block; `user` counts them from 0."""
    served, n_threads = context.served.history, context.n_threads
    inputs = Inputs(
        context.history, context.embeddings, n_threads, context.factors, context.tags, served
    )
    sources, fallback = fit_all(params.sources, inputs, section("sources", SourcesParams))
    warm, cold = (
        Scorer(models.load(FOLD, group), families_of(context, names), served)
        for group, names in (("warm", features.groups), ("cold", features.cold_groups))
    )

    def lists(users: np.ndarray) -> Candidates:
        return lists_of(served, sources, fallback, users, params.per_source)

    nobody = rows_of(lists(np.arange(0)), served)
    for scorer in (warm, cold):
        check_features(scorer.boosters, feature_matrix(scorer.families, nobody).names)
    with tqdm(total=n_users, unit=" users", disable=None) as progress:
        for start in range(0, n_users, USERS_AT_ONCE):
            users = np.arange(start, min(start + USERS_AT_ONCE, n_users))
            for block in split(lists(users), ROWS_AT_ONCE):
                score = scores(block, warm, cold, n_threads)
                yield top_k(block.user, block.item, score.mean(axis=0), k)
            progress.update(len(users))


@contextlib.contextmanager
def writer(out: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A file that becomes OUT when the block ends well; InputError where none can be written."""
    with contextlib.ExitStack() as stack:
        try:
            if out.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            temporary = stack.enter_context(whole(out))
            file = stack.enter_context(pq.ParquetWriter(temporary, schema, compression="zstd"))
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {error.strerror}") from None
        yield file


def main() -> None:
    interactions, out = paths_of(sys.argv)
    shared, als = shared_params(), section("als", AlsParams)
    features, candidates = (
        section("features", FeaturesParams),
        section("candidates", CandidatesParams),
    )
    data, k = section("data", DataParams), section("evaluate", EvaluateParams).k
    check_trained()
    history, _ = load_fold(FOLD)
    has = {
        "strength": als.confidence == "strength",
        "channels": "channels" in {*features.groups, *features.cold_groups},
    }
    given = read(interactions, data, history, **has)
    context = context_of(given, history, features, als, shared)
    n_users, n_new = len(given.user_ids), np.count_nonzero(given.known < 0)
    n_cold = n_users - np.count_nonzero(context.served.history.n_positives)
    report(f"{n_users:,} users, {n_new:,} not in {tables.USERS}, {n_cold:,} without a positive")
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"].combine_chunks()
    ids = {"user_id": given.user_ids.type, "item_id": item_ids.type}
    with writer(out, pa.schema({**ids, **COLUMNS})) as file:
        for top in top_lists(n_users, context, candidates, features, k):
            columns = [given.user_ids.take(top.user), item_ids.take(top.item), top.rank, top.score]
            file.write_table(pa.table(columns, schema=file.schema))


if __name__ == "__main__":
    run_script(main)
