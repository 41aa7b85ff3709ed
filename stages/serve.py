"""Recommends the top k to the users of a file, by trained models.

usage: python stages/serve.py INTERACTIONS.parquet OUT.parquet [--models everyone] [--items ITEMS]
in:    INTERACTIONS.parquet, or CSV: all known interactions of these users, with the columns
       of the source's interactions (data/README.md lists the optional columns);
       data/tables, data/split, data/als/test.npz, data/ranker/features.json,
       data/ranker/test/SEED.txt
       with --models everyone: data/everyone instead of data/als and data/ranker
       with --items: ITEMS, CSV or Parquet with a column item_id: only these items are recommended
out:   OUT.parquet, or OUT.csv, by user, best first: user_id, item_id as in the source; rank int16,
       1 is best; score float32

Users may be new, or be in the log: only the interactions in the file count. Models and item
features are from the history of the fold test, or with --models everyone from the whole log. User
features are from the file and the metadata in users.parquet. Therefore a user with the interactions
of that history gets the list of data/recommendations/test.parquet or
data/everyone/recommendations.parquet. A user without a positive is cold and gets recent popular
items, ranked as stages/recommend.py ranks them.

This is not a stage of dvc.yaml. Run it after `dvc repro` (`dvc repro stages/everyone/dvc.yaml` for
everyone) with the same params.yaml.
"""

from dataclasses import replace
from pathlib import Path

from core import factors, tables
from core.candidate_lists import CandidateListParams
from core.factors import Factors
from core.feedback import Channels
from core.history import History, history_of, load_history
from core.params import SharedParams, section, shared_params
from core.script import InputError, report, run_script, whole
from core.top_lists import EvaluateParams, write

import numpy as np
import pyarrow.parquet as pq

from experiments.console import Arguments
from families import FeaturesParams, load_params
from families.context import Context, Users, load_context, metadata
from models.als import AlsParams, fit, weighted
from rankers import serving
from rankers.serving import MODELS, Place
from readers import DataParams
from readers.given import Given, read, read_allowed


def context_of(given: Given, history: History, params: FeaturesParams) -> Context:
    """Return the context of the fold for the users of the file."""
    served = history_of(given.columns, history.n_windows, history.items)
    of_users = metadata(pq.read_table(tables.USERS), given.known[served.users])
    new_users = Users(served, of_users, Channels(served, given.columns))
    return replace(load_context(history, params), new_users=new_users)


def factors_of(
    given: Given, context: Context, models: Place, params: AlsParams, shared: SharedParams
) -> Factors:
    """Return the factors of the known items and of the users of the file, who are folded in.

    Raises InputError if ALS was fitted on other data or with another number of factors.
    """
    served, fitted = context.served.history, factors.load(models.factors)
    is_known = context.history.is_known
    is_same = np.array_equal(fitted.items, context.history.items[is_known])
    if not is_same or fitted.item_factors.shape[1] != params.factors:
        line = "of other data, or of other als.factors"
        raise InputError(f"{models.factors}: {line}; run {models.command}")
    positives = weighted(served, params, given.columns)[:, is_known]
    of_users, _ = fit(positives, params, shared.seed, shared.n_threads, fitted.item_factors)
    return replace(fitted, user_factors=of_users, users=served.users)


def main(arguments: list[str]) -> None:
    parser = Arguments("serve", __doc__)
    parser.add_argument("interactions", type=Path, metavar="INTERACTIONS.parquet")
    parser.add_argument("out", type=Path, metavar="OUT.parquet")
    parser.add_argument("--models", choices=MODELS, default="test")
    parser.add_argument("--items", type=Path, metavar="ITEMS")
    called = parser.parse_args(arguments)
    out, interactions = called.out, called.interactions
    if out.is_dir() or (out.exists() and interactions.exists() and out.samefile(interactions)):
        raise InputError(f"{out}: is a folder or the file of interactions; must be another file")
    if out.suffix not in (".parquet", ".csv"):
        raise InputError(f"{out}: must end in .parquet or .csv")
    models = MODELS[called.models]
    if not models.rankers.exists():
        raise InputError(f"{models.rankers}: not found; the models are trained by {models.command}")
    if called.models == "everyone":
        serving.check_origin()
    shared, of_als = shared_params(), section("als", AlsParams)
    features, data = load_params(models.rankers.parent), section("data", DataParams)
    k = section("evaluate", EvaluateParams).k
    history = load_history(models.fold, section("candidates", CandidateListParams).new_items)
    given = read(
        interactions,
        data,
        history,
        strength=of_als.confidence == "strength",
        channels="channels" in features.groups,
    )
    allowed = read_allowed(called.items, "--items", history) if called.items else None
    context = context_of(given, history, features)
    of_users = factors_of(given, context, models, of_als, shared)
    n_users, n_new = len(given.user_ids), np.count_nonzero(given.known < 0)
    n_cold = n_users - np.count_nonzero(context.served.history.n_positives)
    report(f"{n_users:,} users, {n_new:,} not in {tables.USERS}, {n_cold:,} without a positive")
    tops = serving.top_lists(np.arange(n_users), context, of_users, models, k, allowed)
    with whole(out) as temporary:
        n_of_user = write(temporary, tops, given.user_ids, out.suffix)
    serving.report_short(n_of_user, k)


if __name__ == "__main__":
    run_script(main)
