"""Candidate sources, each in a file of its own; SOURCES is the only list of their names.

To add one: write its file, import it here, add a line to SOURCES, name it in params.yaml
(stages/README.md has an example). A pair the user was exposed to is never retrieved.
"""

from typing import Literal

from harness.params import Strict

from pydantic import create_model

from folds.candidate_lists import CandidateListParams
from folds.similarity import ItemKnnParams
from retrieval.ease import EaseParams, ease
from retrieval.item_knn import item_knn
from retrieval.popular import RecentPopularParams, popular, recent_popular
from retrieval.source import Inputs, NoParams, Source, TopN
from retrieval.vectors import als, content

SOURCES = {
    "als": Source(als),
    "popular": Source(popular),
    "recent_popular": Source(recent_popular, RecentPopularParams),
    "item_knn": Source(item_knn, ItemKnnParams),
    "ease": Source(ease, EaseParams),
    "content": Source(content),
}

NO_BASELINE = ("als", "recent_popular")  # is judged beside the baselines; is always one

# The section `sources`: the parameters of every source that has some
SourcesParams = create_model(
    "SourcesParams",
    __base__=Strict,
    **{name: (s.params, ...) for name, s in SOURCES.items() if s.params is not NoParams},
)


class BaselineNames(Strict):
    """The section `baselines` names the sources that are baselines, each with its parameters."""

    @property
    def names(self) -> list[str]:
        """The baselines, in the order of SOURCES."""
        return [name for name in SOURCES if name in self.model_fields_set]


BaselinesParams = create_model(
    "BaselinesParams",
    __base__=BaselineNames,
    recent_popular=(RecentPopularParams, ...),  # cold users are served by it
    **{name: (s.params, None) for name, s in SOURCES.items() if name not in NO_BASELINE},
)


class CandidatesParams(CandidateListParams):
    """The section `candidates`."""

    sources: list[Literal[*SOURCES]]


def fit(name: str, inputs: Inputs, params: Strict) -> TopN:
    """Fits a source, with its parameters in a section of all, if it has some."""
    return SOURCES[name].fit(inputs, getattr(params, name, NoParams()))
