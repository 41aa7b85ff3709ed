"""Fits the models on the whole log and writes the top k of every user.

usage: dvc repro stages/everyone/dvc.yaml (not part of `dvc repro`: these lists are not evaluated)
in:    data/tables, data/split, data/features, data/candidates/test.parquet; everyone.items, CSV or
       Parquet with a column item_id: only these items are recommended
out:   data/everyone/recommendations.parquet, by user, best first: user_id, item_id as in the
         source; rank int16, 1 is best; score float32
       data/everyone/als.npz: factors of ALS, as in data/als
       data/everyone/ranker/SEED.txt: LightGBM text models, as in data/ranker, trained on the
         latest ranker.train_folds folds of any kind
       data/everyone/features.json: as in data/features
       data/everyone/origin.json: the parameters, and the md5 of the interactions

A user without a positive in the log gets the list of a cold user: recent popular items, ranked by
the family group_popularity. The training examples of the fold `test` are computed here, because the
main pipeline does not need them.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from core import examples, factors, folds
from core.candidate_lists import CandidateListParams
from core.examples import Examples
from core.history import load_history
from core.params import SharedParams, Strict, section, shared_params
from core.script import run_script, whole_folder
from core.top_lists import EvaluateParams, check_length, write

from pydantic import Field

from families import PARAMS, load_params
from families.context import load_context
from families.labelled import write_fold
from models.als import AlsParams, factors_of
from rankers import serving, trained
from rankers.serving import MODELS
from rankers.training import RankerParams, train_all
from readers.given import read_allowed


class EveryoneParams(Strict):
    items: str = Field(min_length=1)  # CSV or Parquet; only the items in it are recommended


def train(folder: Path, candidates: CandidateListParams, shared: SharedParams) -> None:
    """Train the rankers on the latest folds and save them."""
    params, features = section("ranker", RankerParams), load_params(examples.FOLDER)
    with TemporaryDirectory(dir=folder) as scratch:
        write_fold(Path(scratch), "test", features, candidates, shared)

        def read(fold: str) -> Examples:
            return examples.read(fold, Path(scratch) if fold == "test" else examples.FOLDER)

        known = folds.load()
        latest = {"ranker": (known.windows["test"] + 1, known.names[: params.train_folds])}
        for name, boosters in train_all(read, params, latest, shared):
            trained.save(folder, name, boosters)


def main() -> None:
    shared, of_als = shared_params(), section("als", AlsParams)
    candidates = section("candidates", CandidateListParams)
    k = section("evaluate", EvaluateParams).k
    items = section("everyone", EveryoneParams).items
    check_length(k, candidates.per_source)
    history = load_history(None, candidates.new_items)
    allowed = read_allowed(Path(items), "everyone.items", history)
    with whole_folder(serving.EVERYONE) as folder:
        shutil.copy(examples.FOLDER / PARAMS, folder)
        train(folder, candidates, shared)
        fitted = factors_of(history, of_als, shared.seed, shared.n_threads)
        factors.save(folder / "als.npz", fitted)
        context = load_context(history, load_params(folder))
        models = replace(MODELS["everyone"], rankers=folder / "ranker")
        tops = serving.top_lists(history.users, context, fitted, models, k, allowed)
        origin = json.dumps(serving.origin(), sort_keys=True)
        (folder / "origin.json").write_text(origin, encoding="utf-8")
        serving.report_short(write(folder / "recommendations.parquet", tops), k)


if __name__ == "__main__":
    run_script(main)
