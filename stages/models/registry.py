"""The registry of models: MODELS is the only list of their names.

To add a model, write its file, import it here and add a line to MODELS (stages/README.md has an
example). Its name can then be used for a candidate source (candidates.sources), a baseline
(baselines) and a feature (features.scores).
"""

import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Literal, Union

from core.candidate_lists import CandidateListParams
from core.params import Strict
from core.script import InputError

import numpy as np
import pandas as pd
from pydantic import Field, RootModel, create_model, field_validator, model_validator

from models.als import als
from models.author_top import AuthorTopParams, author_top
from models.content import content
from models.ease import EaseParams, ease
from models.item_knn import ItemKnnParams, item_knn
from models.model import Inputs, Model, NoParams, Ranking, Scores
from models.next_item import NextItemParams, next_item
from models.popular import RecentPopularParams, popular, recent_popular
from models.scoring import Served, over_all_items

Settings = dict[str, dict[int, Strict]]  # baseline -> number of the setting -> parameters
MOST_SETTINGS = 1000  # maximum number of settings of a baseline
MODELS = {
    "als": Model(als),
    "popular": Model(popular),
    "recent_popular": Model(recent_popular, RecentPopularParams),
    "item_knn": Model(item_knn, ItemKnnParams),
    "ease": Model(ease, EaseParams),
    "content": Model(content, scores_new_items=True),
    "next_item": Model(next_item, NextItemParams),
    "author_top": Model(author_top, AuthorTopParams),
}

# The section `sources`: parameters of every model that has parameters
with_params = {name: (m.params, ...) for name, m in MODELS.items() if m.params is not NoParams}
SourcesParams = create_model("SourcesParams", __base__=Strict, **with_params)

# A value of features.scores: name and parameters of a model
ScoreModel = Annotated[
    Union[
        *(
            create_model(f"{name}_scores", __base__=m.params, model=(Literal[name], ...))
            for name, m in MODELS.items()
            if name != "als"  # ALS is always a source
        )
    ],
    Field(discriminator="model"),
]


class ScoresParams(RootModel[dict[str, ScoreModel]]):
    """The section `features.scores`: models that score every candidate, under any names."""

    @field_validator("root")
    @classmethod
    def _have_own_names(cls, scores: dict[str, Strict]) -> dict[str, Strict]:
        for name in scores:
            if name in MODELS or not name.isidentifier():
                raise ValueError(
                    f"{name!r} must be letters, digits and _, and not the name of a model"
                )
        return scores


class Baselines(Strict):
    """The section `baselines`: models by name with their parameters, which may be lists to try."""

    @field_validator("*", mode="before")
    @classmethod
    def _every_setting(cls, values: object) -> object:
        """Return each combination: {"l2": [1, 2], "n": 5} gives two settings with n = 5."""
        if not isinstance(values, dict):
            return values
        lists = {name: of if isinstance(of, list) else [of] for name, of in values.items()}
        if (n := math.prod(map(len, lists.values()))) > MOST_SETTINGS:
            raise ValueError(f"its lists have {n} combinations: must be at most {MOST_SETTINGS}")
        for name, of in lists.items():
            if not of:
                raise ValueError(f"{name} is []: must be a value, or a list of at least one")
        return [dict(zip(lists, each, strict=True)) for each in itertools.product(*lists.values())]

    @model_validator(mode="after")
    def _is_not_empty(self) -> "Baselines":
        if not self.model_fields_set:
            raise ValueError("baselines is empty: must have at least one model")
        return self

    @property
    def settings(self) -> Settings:
        """Settings of each baseline, numbered from 0, in the order of MODELS."""
        return {name: dict(enumerate(of)) for name, of in self if of}


BaselinesParams = create_model(
    "BaselinesParams",
    __base__=Baselines,
    # ALS is evaluated separately
    **{name: (list[model.params], None) for name, model in MODELS.items() if name != "als"},
)


def settings_table(
    settings: Settings, total: dict[tuple[str, int], float], n_lists: int
) -> pd.DataFrame:
    """Return the columns of data/baselines/settings.csv, a row per baseline and setting.

    total  sum of AP@k over n_lists lists, by baseline and number of the setting
    """
    rows = [
        (name, number, total[name, number] / n_lists, json.dumps(setting.model_dump()))
        for name, of in settings.items()
        for number, setting in of.items()
    ]
    table = pd.DataFrame(rows, columns=["model", "number", "map", "parameters"])
    best = table.groupby("model")["map"].idxmax()  # the first of several
    table.insert(3, "is_best", table.index.isin(best))
    return table


class CandidatesParams(CandidateListParams):
    """The section `candidates`."""

    sources: list[Literal[*MODELS]]

    @model_validator(mode="after")
    def _can_retrieve_new_items(self) -> "CandidatesParams":
        able = [name for name, model in MODELS.items() if model.scores_new_items]
        if self.new_items != "none" and not {*able} & {*self.sources}:
            raise ValueError(
                f"candidates.new_items is {self.new_items!r}: candidates.sources must have one of"
                f" {', '.join(able)}, because no other model retrieves new items"
            )
        return self


def in_use(
    params: CandidateListParams, of_sources: Strict, scores: ScoresParams
) -> dict[str, tuple[str, Strict]]:
    """Return model and parameters of each candidate source and of each name in features.scores."""
    wanted = {name: (name, getattr(of_sources, name, NoParams())) for name in params.sources}
    for name, own in scores.root.items():
        of_model = MODELS[own.model].params
        wanted[name] = own.model, of_model(**own.model_dump(exclude={"model"}))
    return wanted


def fit(name: str, params: Strict, inputs: Inputs) -> Scores:
    """Fit a model of MODELS and return its scores for all items of inputs.history.

    A model that cannot score new items is fitted without them. Raises InputError if the scores have
    a wrong shape.
    """
    model, is_known = MODELS[name], inputs.history.is_known
    own = inputs if model.scores_new_items or is_known.all() else inputs.known
    scores, users = model.fit(own, params), np.arange(min(1, len(own.served.users)))
    shape = np.shape(scores.scores) if isinstance(scores, Ranking) else scores(users).shape
    wanted = (*users.shape, own.history.n_items)[isinstance(scores, Ranking) :]
    if shape != wanted:
        raise InputError(f"{name}: its scores have shape {shape}: must be {wanted}, one per item")
    return scores if own is inputs else over_all_items(scores, is_known)


def fit_all(
    params: CandidateListParams, of_sources: Strict, scores: ScoresParams, inputs: Inputs
) -> dict[str, Scores]:
    """Return the scores of candidate sources and features.scores by name, each fitted once."""
    wanted = in_use(params, of_sources, scores)
    distinct = list(dict.fromkeys(wanted.values()))
    own = replace(inputs, n_threads=max(1, inputs.n_threads // len(distinct)))
    with ThreadPoolExecutor(inputs.n_threads) as threads:
        fitted = threads.map(lambda pair: fit(*pair, own), distinct)
        by_model = dict(zip(distinct, fitted, strict=True))
    return {name: by_model[pair] for name, pair in wanted.items()}


def served_by(
    inputs: Inputs, params: CandidateListParams, of_sources: Strict, scores: ScoresParams
) -> Served:
    """Fit all models in use and return the inputs of candidate_lists().

    Raises InputError if the catalogue is too large for EASE as a candidate source.
    """
    history = inputs.history
    n_items = np.count_nonzero(history.is_known)
    if "ease" in params.sources and n_items > of_sources.ease.max_items:
        raise InputError(
            f"params.yaml: candidates.sources has ease, but the history has {n_items} items and "
            f"sources.ease.max_items is {of_sources.ease.max_items}; remove ease, or raise the "
            "limit (time grows with its cube, memory is 24 bytes x its square)"
        )
    models = fit_all(params, of_sources, scores, inputs)
    fallback = fit("recent_popular", of_sources.recent_popular, inputs)
    masks = history.alive(params.alive_windows), ~history.is_known
    return Served(inputs.served, models, params.sources, fallback, params.per_source, *masks)
