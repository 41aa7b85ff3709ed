"""Candidate sources, each in a file of its own; SOURCES is the only list of their names.

To add one: write its file, import it here, add a line to SOURCES, name it in params.yaml
(stages/README.md has an example). A pair the user was exposed to is never retrieved.
"""

import itertools
import math
from typing import Annotated, Literal

from harness.params import Strict

from pydantic import BeforeValidator, create_model, model_validator

from folds.candidate_lists import CandidateListParams
from folds.similarity import ItemKnnParams
from retrieval.author_top import AuthorTopParams, author_top
from retrieval.ease import EaseParams, ease
from retrieval.item_knn import item_knn
from retrieval.next_item import NextItemParams, next_item
from retrieval.popular import RecentPopularParams, popular, recent_popular
from retrieval.source import Inputs, NoParams, Source, TopN
from retrieval.vectors import als, content

MOST_SETTINGS = 1000  # of a baseline
SOURCES = {
    "als": Source(als),
    "popular": Source(popular),
    "recent_popular": Source(recent_popular, RecentPopularParams),
    "item_knn": Source(item_knn, ItemKnnParams),
    "ease": Source(ease, EaseParams),
    "content": Source(content),
    "next_item": Source(next_item, NextItemParams),
    "author_top": Source(author_top, AuthorTopParams),
}

# The section `sources`: the parameters of every source that has some
SourcesParams = create_model(
    "SourcesParams",
    __base__=Strict,
    **{name: (s.params, ...) for name, s in SOURCES.items() if s.params is not NoParams},
)


def every_setting(values: object) -> object:
    """One dictionary of parameters for each combination of values, where some of them are lists:
    {"l2": [1, 2], "n": 5} gives those of (1, 5) and (2, 5).
    """
    if not isinstance(values, dict):
        return values
    lists = {name: of if isinstance(of, list) else [of] for name, of in values.items()}
    if (n := math.prod(map(len, lists.values()))) > MOST_SETTINGS:
        raise ValueError(f"its lists have {n} combinations: must be at most {MOST_SETTINGS}")
    for name, of in lists.items():
        if not of:
            raise ValueError(f"{name} is []: must be a value, or a list of at least one")
    return [dict(zip(lists, each, strict=True)) for each in itertools.product(*lists.values())]


class Baselines(Strict):
    """The section `baselines` names the sources that are baselines, each with its parameters, of
    which each may be a list of values to try.
    """

    @model_validator(mode="after")
    def _is_not_empty(self) -> "Baselines":
        if not self.model_fields_set:
            raise ValueError("baselines is empty: must name at least one source")
        return self

    @property
    def settings(self) -> dict[str, dict[int, Strict]]:
        """The settings of each baseline, numbered from 0, in the order of SOURCES."""
        names = [name for name in SOURCES if name in self.model_fields_set]
        return {name: dict(enumerate(getattr(self, name))) for name in names}


BaselinesParams = create_model(
    "BaselinesParams",
    __base__=Baselines,
    **{
        name: (Annotated[list[source.params], BeforeValidator(every_setting)], None)
        for name, source in SOURCES.items()
        if name != "als"  # which is judged beside the baselines
    },
)


class CandidatesParams(CandidateListParams):
    """The section `candidates`."""

    sources: list[Literal[*SOURCES]]


def fit(name: str, inputs: Inputs, params: Strict) -> TopN:
    """Fits a source, with its parameters in a section of all, if it has some."""
    return SOURCES[name].fit(inputs, getattr(params, name, NoParams()))


def fit_all(names: list[str], inputs: Inputs, params: Strict) -> tuple[dict[str, TopN], TopN]:
    """The sources of these names, by name, and what cold users are served."""
    sources = {name: fit(name, inputs, params) for name in names}
    return sources, fit("recent_popular", inputs, params)
