"""The models of the pipeline on Spark, and their scores for the users of a block."""

from core.factors import Factors
from core.history import History
from core.params import Strict, section
from core.script import InputError, report

import numpy as np

from models import registry
from models.ease import ease_scores
from models.model import Inputs, Ranking, Scores
from models.popular import recent_scores
from models.registry import BaselinesParams, CandidatesParams, ScoresParams, Settings, SourcesParams
from spark.engine.item_side import ItemSide
from spark.params import refuse_what_only_local_has

FITTED = ("item_knn", "ease")  # fitted on sums over all users, see totals.py
MODELS = ("als", *FITTED, "recent_popular", "popular", "content")

Model = tuple[str, Strict]  # name and parameters


def lacking(model: Model) -> str | None:
    """Return what the pipeline on Spark lacks of a model, or None if it has everything.

    tfidf and bm25 weight users, which is impossible after summing over users.
    """
    name, params = model
    if name not in MODELS:
        return name
    if getattr(params, "weighting", "count") not in ("count", "cosine"):
        return f"{name} with weighting {params.weighting}"
    if getattr(params, "half_life", 0):
        return f"{name} with half_life {params.half_life}"
    return None


def models_in_use() -> dict[str, Model]:
    """Return the models of candidates.sources and features.scores by name.

    Raises InputError if the pipeline on Spark lacks one.
    """
    candidates, scores = section("candidates", CandidatesParams), ScoresParams
    refuse_what_only_local_has(candidates)
    found = registry.in_use(
        candidates, section("sources", SourcesParams), section("features.scores", scores)
    )
    for name, model in found.items():
        if what := lacking(model):
            key = "candidates.sources" if name in candidates.sources else "features.scores"
            raise InputError(f"params.yaml: {key} has {what}: only the local pipeline has it")
    return found


def settings_in_use() -> Settings:
    """Return the settings of the available baselines. Prints which settings are left out."""
    every = section("baselines", BaselinesParams).settings
    kept = {
        name: {number: one for number, one in of.items() if not lacking((name, one))}
        for name, of in every.items()
    }
    left_out = [lacking((name, one)) for name, of in every.items() for one in of.values()]
    if left_out := list(dict.fromkeys(filter(None, left_out))):
        report(f"baselines: {', '.join(left_out)} left out: only the local pipeline has it")
    if not any(kept.values()):
        raise InputError(f"params.yaml: baselines must have one of {', '.join(MODELS[1:])}")
    return {name: of for name, of in kept.items() if of}


def scores_of(
    model: Model, side: ItemSide, history: History, factors: Factors | None = None
) -> Scores:
    """Return the scores of a model for the users of a block, using the item side.

    history  of the block; factors  of its users and of the items, for als
    """
    name, params = model
    liked = side.item_counts[1]
    if name == "popular":
        return Ranking(liked.sum(axis=1).astype(np.float32))
    if name == "recent_popular":
        recent = liked[:, -params.windows :].sum(axis=1).astype(np.float32)
        return Ranking(recent_scores(recent, liked.sum(axis=1)))
    if name not in FITTED:  # als, content
        return registry.MODELS[name].fit(Inputs(history, side.embeddings, 1, factors), params)
    rows = getattr(history, params.of)
    if name == "ease":
        return ease_scores(*side.ease(model), rows)
    similarity = side.neighbours(model)
    return lambda users: rows[users] @ similarity
