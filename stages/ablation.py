"""Leaves out each candidate source and family of features, and adds each to the notebook's system.

usage: dvc repro stages/extra/dvc.yaml (not part of `dvc repro`, because it trains hundreds of
       models)
in:    data/tables, data/split; data/candidates/FOLD.parquet of validation and label folds
out:   on stdout the differences; metrics/ablation.csv, a row per variant:
         part          full, one seed, ranker, without source, without family, with family,
                       notebook, notebook with source, notebook with family
         name          what was left out, added or changed; for ranker: the parameter and its value
         n_features, candidate_recall   mean share of a user's relevant items that are in the list
         map           mean AP@k over the lists of warm users of all validation folds
         difference, ci95_low, ci95_high, p_value, min_detectable   `map` minus that of full, or of
                       notebook for its variants, with the paired bootstrap of the evaluation
       metrics/ablation.png: the differences and their intervals

The test folds are not read. The notebook's system has ALS candidates and the families als, user,
item and embedding.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from core import candidate_lists, folds, metrics
from core.candidate_lists import CandidateListParams, Candidates
from core.examples import Examples
from core.folds import Folds
from core.history import load_fold, training_users
from core.lists import side_by_side
from core.params import SharedParams, is_judged, kind_of, section, shared_params
from core.script import InputError, run_script, whole
from core.tables import write_utf8
from core.top_lists import EvaluateParams, top_k

import numpy as np
import pandas as pd
from tqdm import tqdm

from evaluation import pictures
from evaluation.bootstrap import Interval, bootstrap
from families import FAMILIES, FeaturesParams, families_of, feature_matrix
from families.context import load_context, rows_of
from rankers import trained
from rankers.training import RankerParams, dataset, train

N_SEEDS = 5  # number of single models of the full system in the table
NOTEBOOK = ("als", "user", "item", "embedding")
CHANGES = [  # changed parameters of the ranker
    {"objective": "binary", "label": "positive"},  # binary needs this label
    {"objective": "lambdarank"},
    {"objective": "rank_xendcg"},
    {"list_weight": 0.0},
]


@dataclass(frozen=True)
class Variant:
    """A system to evaluate. ranker  parameters that differ from params.yaml"""

    part: str
    name: str
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    ranker: dict[str, object] = field(default_factory=dict)


def variants(sources: list[str], groups: list[str], params: RankerParams) -> list[Variant]:
    """Return the full system and its variants, then the notebook's and its variants."""
    sources, groups = tuple(sources), tuple(groups)
    found = [Variant("full", "", sources, groups)]
    for change in CHANGES:
        key, value = next(iter(change.items()))
        if value != getattr(params, key):
            found.append(Variant("ranker", f"{key} {value}", sources, groups, change))
    for name in sources[1:]:
        found.append(Variant("without source", name, without(sources, name), groups))
    for name in groups if len(groups) > 1 else ():
        found.append(Variant("without family", name, sources, without(groups, name)))
    for name in without(FAMILIES, *groups):
        found.append(Variant("with family", name, sources, (*groups, name)))
    found.append(Variant("notebook", "", ("als",), NOTEBOOK))
    for name in sources[1:]:
        found.append(Variant("notebook with source", name, ("als", name), (*NOTEBOOK, "sources")))
    for name in without(FAMILIES, *NOTEBOOK):
        found.append(Variant("notebook with family", name, ("als",), (*NOTEBOOK, name)))
    return found


def without(names: Iterable[str], *others: str) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


class Fold:
    """Lists of a fold's warm users with a relevant item, and the families of features.

    users  int32 (n_users,), rows of users.parquet, ascending, the same sample as in `candidates`
    """

    def __init__(
        self, fold: str, params: FeaturesParams, candidates: CandidateListParams, seed: int
    ) -> None:
        self.history, self.target = load_fold(fold, candidates, seed)
        self.users = training_users(self.history, self.target, candidates.label_users, seed)
        blocks = candidate_lists.read(fold)
        lists = [of.take(np.isin(of.user, self.users) & of.is_retrieved) for of in blocks]
        self.lists = candidate_lists.concatenate(lists)
        self.families = families_of(load_context(self.history, params), list(FAMILIES))

    def examples(self, variant: Variant) -> Examples:
        """Return the labelled lists of the variant's sources, with the features of its families."""
        lists = only(self.lists, variant.sources)
        families = {name: self.families[name] for name in variant.groups}
        of = feature_matrix(families, rows_of(lists, self.history))
        label = self.target.strength_of(lists.user, lists.item)
        n_relevant = np.bincount(self.target.user)[lists.user].astype(np.int32)
        keys = lists.user, lists.item, label, n_relevant
        return Examples(*keys, of.values, of.names, of.categorical)


def only(lists: Candidates, sources: tuple[str, ...]) -> Candidates:
    """Return the lists as they would be with only these sources."""
    kept = replace(lists, rank={name: lists.rank[name] for name in sources})
    kept = kept.take(kept.is_retrieved)
    ranks = np.stack(list(kept.rank.values()))
    best = np.where(ranks == 0, np.iinfo(np.int16).max, ranks)
    return kept.take(np.lexsort((best.argmin(axis=0), best.min(axis=0), kept.list_of_row)))


def with_relevant(examples: Examples) -> Examples:
    """Return the lists with a relevant item, which a ranker can be trained on."""
    lists = examples.list_of_row
    return examples.take(np.isin(lists, lists[examples.label > 0]))


def judge(
    loaded: dict[str, Fold], variant: Variant, params: RankerParams, k: int, shared: SharedParams
) -> tuple[int, np.ndarray, np.ndarray]:
    """Train rankers for each validation fold and evaluate them on its lists.

    Returns the number of features; recall of each list, float64 (n_lists,); and AP@k, float64
    (1 + n_models, n_lists): of the mean score of params.n_seeds models, then of each model.
    """
    params = params.model_copy(update=variant.ranker)
    n_models = max(params.n_seeds, N_SEEDS) if variant.part == "full" else params.n_seeds
    found = side_by_side(lambda of: of.examples(variant), loaded.values(), shared.n_threads)
    examples = dict(zip(loaded, found, strict=True))
    known = Folds({name: of.history.n_windows for name, of in loaded.items()})
    recall, ap = [], []
    for name, (window, before) in known.training(params.train_folds).items():
        fold, rows = loaded[name], examples[name]
        if not len(fold.users):
            continue
        earlier = [with_relevant(examples[one]) for one in before]
        if not (earlier := [one for one in earlier if len(one.label)]):
            raise InputError(f"no fold before {name} has a list with a relevant item")
        models = train(dataset(earlier, params, shared), params, shared, n_models, window)
        score = trained.predict(models, rows.values, shared.n_threads)
        n_relevant = np.bincount(fold.target.user)[fold.users]
        n_found = np.bincount(rows.user, rows.label > 0, int(fold.users[-1]) + 1)[fold.users]
        recall.append(n_found / n_relevant)
        scores = [score[: params.n_seeds].sum(axis=0), *score]
        tops = [top_k(rows.user, rows.item, one, k) for one in scores]
        hits = [top.hits(fold.target, fold.users, k) for top in tops]
        ap.append([metrics.average_precision(of, n_relevant) for of in hits])
    return len(rows.names), np.concatenate(recall), np.concatenate(ap, axis=1)


def table(
    loaded: dict[str, Fold], every: list[Variant], params: RankerParams, shared: SharedParams
) -> pd.DataFrame:
    """Return a row per variant; rows of single models follow the full system."""
    evaluate = section("evaluate", EvaluateParams)
    users = np.concatenate([of.users for name, of in loaded.items() if is_judged(name)])
    rows, base = [], None
    for variant in tqdm(every, "variants", disable=None):
        n, recall, (ap, *of_each) = judge(loaded, variant, params, evaluate.k, shared)
        row = {"part": variant.part, "name": variant.name, "n_features": n}
        row |= {"candidate_recall": recall.mean(), "map": ap.mean()}
        rows.append(row)
        if base is None:
            for seed, of in enumerate(of_each[:N_SEEDS]):
                rows.append(row | {"part": "one seed", "name": f"seed {seed}", "map": of.mean()})
        else:
            row["difference"] = (ap - base).mean()
            row |= bootstrap(ap - base, users, evaluate.n_resamples, shared.seed)
        if variant.part in ("full", "notebook"):
            base = ap  # base of the following variants
    return pd.DataFrame(rows)


def main() -> None:
    shared, params = shared_params(), section("ranker", RankerParams)
    candidates = section("candidates", CandidateListParams)
    features = section("features", FeaturesParams)
    names = [fold for fold in folds.load().names if kind_of(fold) != "test"]
    loaded = {name: Fold(name, features, candidates, shared.seed) for name in names}
    frame = table(loaded, variants(candidates.sources, features.groups, params), params, shared)
    shown = frame[["part", "name", "map", "difference", "ci95_low", "ci95_high"]]
    print(shown.to_string(index=False, na_rep="", float_format="{:.4f}".format))
    write_utf8(Path("metrics/ablation.csv"), frame.to_csv(index=False, float_format="%.6f"))
    rows = []
    for part, name, _, *gain in shown.dropna(subset="difference").itertuples(index=False):
        rows.append(pictures.Row(f"{part} {name}".strip(), Interval(*gain, 0)))
    axes, _ = pictures.forest(rows, "difference in MAP@k, with its 95 % interval")
    with whole(Path("metrics/ablation.png")) as path:
        axes.figure.savefig(path, format="png", dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    run_script(main)
