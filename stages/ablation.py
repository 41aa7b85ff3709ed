"""Leaves out each candidate source and each feature family in turn, and adds each alone to the
notebook's system.

usage: dvc repro stages/extra/dvc.yaml (not a part of `dvc repro`: it trains some hundred models)
in:    data/split/interactions.parquet, data/split/channels.parquet, data/users.parquet,
       data/items.parquet, data/item_tags.npz, data/item_embeddings.npy; for each FOLD of validation
       and label folds: data/split/folds/FOLD.json, data/als/FOLD.npz, data/candidates/FOLD.parquet
out:   metrics/ablation.csv, a row per variant:
         part          full, one seed, ranker, without source, without family, with family,
                       notebook, notebook with source, notebook with family
         name          what was left out, added or changed; of ranker: the parameter and its value
         n_features, candidate_recall  of the variant; the share of relevant items in the lists is a
                       mean over the judged users
         map           mean AP@k over the lists of warm users of all validation folds
         difference, ci95_low, ci95_high, p_value, min_detectable   of `map`: minus that of full, or
                       of notebook for its own variants, with the paired bootstrap of the evaluation
       metrics/ablation.png: the differences and their intervals

Judged are the validation folds, each by rankers that learn from the folds before it, as everywhere
else. The test folds are not read. The notebook's system: ALS candidates, families als, user, item,
embedding.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.params import SharedParams, kind_of, section, shared_params
from harness.script import InputError, run_script, whole

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from tqdm import tqdm

from boosting.examples import Examples
from boosting.training import RankerParams, dataset, sample_negatives, train
from evaluation import canvas, metrics
from evaluation.top_lists import EvaluateParams, top_k
from families import (
    FAMILIES,
    FeaturesParams,
    families_of,
    feature_matrix,
    load_context,
    rows_of,
)
from folds import candidate_lists
from folds.candidate_lists import CandidateListParams, Candidates
from folds.history import load_fold, training_users
from folds.lists import side_by_side

TABLE = Path("metrics/ablation.csv")
PICTURE = Path("metrics/ablation.png")
N_SEEDS = 5  # models of the full system whose spread is shown
NOTEBOOK = ("als", "user", "item", "embedding")
ROWS_AT_ONCE = 100_000  # of candidates whose features a thread computes at once


@dataclass(frozen=True)
class Variant:
    """A system to be judged. base: the part it is compared with, '' for none; ranker: values of its
    parameters that differ from params.yaml.
    """

    part: str
    name: str
    base: str
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    ranker: dict[str, object] = field(default_factory=dict)


def variants(sources: list[str], groups: list[str], params: RankerParams) -> list[Variant]:
    """Those the docstring names; the full system first, the notebook's before its own variants."""
    full = Variant("full", "", "", tuple(sources), tuple(groups))
    notebook = Variant("notebook", "", "full", ("als",), NOTEBOOK)
    found = [full]
    changes = [{"objective": name} for name in ("binary", "lambdarank", "rank_xendcg")]
    for change in [*changes, {"list_weight": 0.0}]:
        ((key, value),) = change.items()
        if value != getattr(params, key):
            if value == "binary":
                change["label"] = "positive"  # all it can learn from
            name = f"{key} {value}"
            found.append(replace(full, part="ranker", name=name, base="full", ranker=change))
    for name in sources[1:]:
        rest = tuple(source for source in sources if source != name)
        found.append(replace(full, part="without source", name=name, base="full", sources=rest))
    for name in groups:
        rest = tuple(group for group in groups if group != name)
        if rest:
            found.append(replace(full, part="without family", name=name, base="full", groups=rest))
    for name in FAMILIES:
        if name not in groups:
            more = (*groups, name)
            found.append(replace(full, part="with family", name=name, base="full", groups=more))
    found.append(notebook)
    for name in sources[1:]:
        found.append(
            replace(
                notebook,
                part="notebook with source",
                name=name,
                base="notebook",
                sources=("als", name),
                groups=(*NOTEBOOK, "sources"),
            )
        )
    for name in FAMILIES:
        if name not in NOTEBOOK:
            found.append(
                replace(
                    notebook,
                    part="notebook with family",
                    name=name,
                    base="notebook",
                    groups=(*NOTEBOOK, name),
                )
            )
    return found


class Fold:
    """Lists of a fold's warm users with a relevant item, and their features by set of sources.

    users int32, ascending: rows of users.parquet; n_relevant int64 (n_users,)
    """

    def __init__(self, fold: str, params: FeaturesParams, max_users: int, seed: int) -> None:
        self.history, self.target = load_fold(fold)
        self.users = training_users(self.history, self.target, "warm", max_users, seed)
        self.n_relevant = np.bincount(
            self.target.user, minlength=int(self.users.max(initial=-1)) + 1
        )[self.users]
        self.lists = candidate_lists.concatenate(
            [
                lists.take(np.isin(lists.user, self.users) & lists.is_retrieved)
                for lists in candidate_lists.read(fold)
            ]
        )
        context = load_context(fold, self.history, params)
        self.n_threads = context.n_threads
        self.families = dict(zip(FAMILIES, families_of(context, list(FAMILIES)), strict=True))

    def examples(self, sources: tuple[str, ...]) -> Examples:
        """The labelled lists of these sources, with the features of every family."""
        lists = only(self.lists, sources)
        families = list(self.families.values())
        blocks = list(
            side_by_side(
                lambda block: feature_matrix(families, rows_of(block, self.history)),
                candidate_lists.split(lists, ROWS_AT_ONCE),
                self.n_threads,
            )
        )
        return Examples(
            lists.user,
            lists.item,
            self.target.strength_of(lists.user, lists.item),
            self.n_relevant[np.searchsorted(self.users, lists.user)].astype(np.int32),
            np.concatenate([block.values for block in blocks]),
            blocks[0].names,
            blocks[0].categorical,
        )

    def names(self, sources: tuple[str, ...], groups: tuple[str, ...]) -> list[str]:
        """The features of these families."""
        none = rows_of(only(self.lists, sources).take(slice(0)), self.history)
        return [name for group in groups for name in self.families[group](none)]

    def recall(self, examples: Examples) -> np.ndarray:
        """Share of the relevant items that stand in the list, float64 (n_users,)."""
        row = np.searchsorted(self.users, examples.user)
        return np.bincount(row, examples.label > 0, len(self.users)) / self.n_relevant

    def ap(self, examples: Examples, score: np.ndarray, k: int) -> np.ndarray:
        """AP@k, float64 (n_users,)."""
        hits = top_k(examples.user, examples.item, score, k).hits(self.target, self.users, k)
        return metrics.average_precision(hits, self.n_relevant)


def only(lists: Candidates, sources: tuple[str, ...]) -> Candidates:
    """The lists as they would be with these sources alone."""
    kept = Candidates(
        lists.user,
        lists.item,
        {name: lists.rank[name] for name in sources},
        {name: lists.score[name] for name in sources},
    )
    kept = kept.take(kept.is_retrieved)
    ranks = np.stack(list(kept.rank.values()))
    best = np.where(ranks == 0, np.iinfo(np.int16).max, ranks)
    return kept.take(np.lexsort((best.argmin(axis=0), best.min(axis=0), kept.list_of_row)))


def select(examples: Examples, names: list[str]) -> Examples:
    """The same rows with these features alone."""
    columns = [examples.names.index(name) for name in names]
    categorical = [name for name in examples.categorical if name in names]
    return replace(
        examples, values=examples.values[:, columns], names=names, categorical=categorical
    )


def training_examples(examples: Examples, params: RankerParams, seed: int) -> Examples:
    """What a ranker is trained on: lists with a relevant item, negatives sampled."""
    list_of_row = examples.list_of_row
    has_relevant = np.bincount(list_of_row, examples.label > 0, len(examples.group)) > 0
    return sample_negatives(examples.take(has_relevant[list_of_row]), params.negatives, seed)


@dataclass(frozen=True)
class Result:
    """What a variant gives. ap: fold -> float64 (n_users,), of the mean score of the models;
    ap_of_one: the same of each model alone.
    """

    n_features: int
    recall: dict[str, np.ndarray]
    ap: dict[str, np.ndarray]
    ap_of_one: list[dict[str, np.ndarray]]


def judged_folds(loaded: dict[str, Fold]) -> list[str]:
    """The validation folds that have users to judge, the latest first."""
    found = [name for name in loaded if kind_of(name) == "validation" and len(loaded[name].users)]
    if not found:
        raise InputError("no validation fold has a warm user with a relevant item")
    return found


def judge(
    loaded: dict[str, Fold],
    examples: dict[str, Examples],
    variant: Variant,
    params: RankerParams,
    k: int,
    shared: SharedParams,
    n_models: int,
) -> Result:
    """Trains n_models per judged fold; judges each alone, and the first params.n_seeds together."""
    names = next(iter(loaded.values())).names(variant.sources, variant.groups)
    chosen = {fold: select(rows, names) for fold, rows in examples.items()}
    trained_on = {
        fold: training_examples(rows, params, shared.seed) for fold, rows in chosen.items()
    }
    ap, ap_of_one = {}, [{} for _ in range(n_models)]
    for fold in judged_folds(loaded):
        earlier = [trained_on[name] for name in shared.before(fold, params.train_folds)]
        earlier = [rows for rows in earlier if len(rows.label)]
        if not earlier:
            raise InputError(f"no fold before {fold} has a list that holds a relevant item")
        data, rows = dataset(earlier, params, shared), chosen[fold]
        total = np.zeros(len(rows.label))
        for number, model in enumerate(train(data, params, shared, n_models)):
            score = model.predict(rows.values, raw_score=True, num_threads=shared.n_threads)
            if number < params.n_seeds:
                total += score
            ap_of_one[number][fold] = loaded[fold].ap(rows, score, k)
        ap[fold] = loaded[fold].ap(rows, total, k)
    recall = {fold: loaded[fold].recall(chosen[fold]) for fold in ap}
    return Result(len(names), recall, ap, ap_of_one)


def all_lists(by_fold: dict[str, np.ndarray]) -> np.ndarray:
    """(n_lists,): the values of every fold's lists, fold after fold."""
    return np.concatenate(list(by_fold.values()))


def row_of(part: str, name: str, result: Result, ap: dict[str, np.ndarray]) -> dict:
    """The first columns of the table."""
    return {
        "part": part,
        "name": name,
        "n_features": result.n_features,
        "candidate_recall": all_lists(result.recall).mean(),
        "map": all_lists(ap).mean(),
    }


def table(
    loaded: dict[str, Fold], every: list[Variant], params: RankerParams, shared: SharedParams
) -> pd.DataFrame:
    """A row per variant, those of single models after the full system."""
    evaluate = section("evaluate", EvaluateParams)
    rows, results, held = [], {}, ((), {})
    for variant in tqdm(every, "variants", disable=None):
        if held[0] != variant.sources:
            held = (
                variant.sources,
                {fold: one.examples(variant.sources) for fold, one in loaded.items()},
            )
        own = params.model_copy(update=variant.ranker)
        n_models = max(own.n_seeds, N_SEEDS) if variant.part == "full" else own.n_seeds
        result = judge(loaded, held[1], variant, own, evaluate.k, shared, n_models)
        row = row_of(variant.part, variant.name, result, result.ap)
        if variant.base:
            difference = all_lists(result.ap) - all_lists(results[variant.base].ap)
            users = all_lists({fold: loaded[fold].users for fold in result.ap})
            row["difference"] = difference.mean()
            row |= metrics.bootstrap(difference, users, evaluate.n_resamples, shared.seed)
        rows.append(row)
        if variant.part in ("full", "notebook"):
            results[variant.part] = result
        if variant.part == "full":
            rows += [
                row_of("one seed", f"seed {number}", result, ap)
                for number, ap in enumerate(result.ap_of_one[:N_SEEDS])
            ]
    return pd.DataFrame(rows)


PANELS = {
    "Left out of the full system": ("without source", "without family"),
    "Changed in the full system": ("with family", "ranker"),
    "Added to the notebook's system": ("notebook with source", "notebook with family"),
}


def draw(frame: pd.DataFrame) -> plt.Figure:
    """A panel per kind of change, with 95 % intervals."""
    shown = {title: frame[frame["part"].isin(parts)] for title, parts in PANELS.items()}
    shown = {title: rows for title, rows in shown.items() if len(rows)}
    figure, axes = plt.subplots(
        1, len(shown), figsize=(5.2 * len(shown), 5), layout="constrained", squeeze=False
    )
    for panel, (title, rows) in zip(axes[0], shown.items(), strict=True):
        kind = rows["part"].str.split().str[-1]
        labels = np.where(kind == "ranker", rows["name"], kind + " " + rows["name"])
        error = [
            rows["difference"] - rows["ci95_low"],
            rows["ci95_high"] - rows["difference"],
        ]
        colour = np.where(rows["difference"] < 0, "#c1121f", "#003049")
        panel.barh(labels, rows["difference"], xerr=error, color=colour, ecolor="#9aa0a6")
        panel.axvline(0, color="#5f6368", linewidth=0.8)
        panel.invert_yaxis()
        panel.locator_params(axis="x", nbins=5)
        panel.set(title=title, xlabel="difference in MAP@k")
    return figure


def main() -> None:
    shared = shared_params()
    params = section("ranker", RankerParams)
    candidates = section("candidates", CandidateListParams)
    features = section("features", FeaturesParams)
    loaded = {
        fold: Fold(fold, features, candidates.label_users, shared.seed)
        for fold in shared.folds
        if kind_of(fold) != "test"
    }
    every = variants(candidates.sources, features.groups, params)
    frame = table(loaded, every, params, shared)
    with whole(TABLE) as path:
        frame.to_csv(path, index=False, lineterminator="\n", float_format="%.6f")
    canvas.prepare()
    with whole(PICTURE) as path:
        draw(frame).savefig(path, format="png", dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    run_script(main)
