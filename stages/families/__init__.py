"""Families of features, each in a file of its own or with its like; FAMILIES is the only list of
their names.

To add one: write its file, import it here, add a line to FAMILIES, name it in params.yaml
(stages/README.md has an example). NaN means unknown, and LightGBM treats it as such.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from core.script import InputError

import numpy as np
from pydantic import field_validator

from families.activity import activity
from families.affinity import affinity
from families.als import als
from families.channels import channels
from families.columns import codes, is_category
from families.context import Context, Family, FamilyOfFold, FamilyParams, Rows
from families.demographics import demographics
from families.metadata import embedding, item, user
from families.popularity import popularity
from families.recent_affinity import recent_affinity
from families.scores import scores
from families.similarity import similarity
from families.sources import sources

PARAMS = "features.json"
FAMILIES: dict[str, Family] = {
    "als": als,
    "user": user,
    "item": item,
    "embedding": embedding,
    "popularity": popularity,
    "activity": activity,
    "affinity": affinity,
    "recent_affinity": recent_affinity,
    "similarity": similarity,
    "demographics": demographics,
    "sources": sources,
    "scores": scores,
    "channels": channels,
}


class FeaturesParams(FamilyParams):
    """The section `features`: the families in use, and the parameters they share."""

    groups: list[Literal[*FAMILIES]]  # in this order
    cold_groups: list[Literal[*FAMILIES]]  # of the lists of cold users
    scores: dict[str, object]  # see models.registry.ScoresParams; the candidates have their scores

    @field_validator("groups", "cold_groups")
    @classmethod
    def _are_distinct(cls, groups: list[str]) -> list[str]:
        if not groups or len(set(groups)) < len(groups):
            raise ValueError("must name at least one family, and each once")
        return groups


def save_params(folder: Path, params: FeaturesParams) -> None:
    """Write the parameters beside examples or models, for later stages."""
    text = params.model_copy(update={"scores": {}}).model_dump_json(indent=2)
    (folder / PARAMS).write_text(f"{text}\n", encoding="utf-8")


def load_params(folder: Path) -> FeaturesParams:
    """Read the parameters of the features that models in this folder were trained on."""
    return FeaturesParams.model_validate_json((folder / PARAMS).read_text(encoding="utf-8"))


class FeatureMatrix(NamedTuple):
    """Features of a block of candidates."""

    values: np.ndarray  # float32 (n_rows, n_features), one column after the other in memory
    names: list[str]  # of the columns
    categorical: list[str]  # names of the columns that are codes of categories


def families_of(context: Context, groups: list[str]) -> dict[str, FamilyOfFold]:
    """The families in use by name, ready for blocks of candidates of the context's fold."""
    return {group: FAMILIES[group](context) for group in groups}


def feature_matrix(families: dict[str, FamilyOfFold], rows: Rows) -> FeatureMatrix:
    """Return the columns of all families, one family after the other; InputError for a column that
    has another length than the rows, or the name of an earlier one.
    """
    columns, shape = {}, rows.item.shape
    for family, of_family in families.items():
        for name, values in of_family(rows).items():
            if name in columns:
                raise InputError(f"family {family}: another family has a column {name}; rename it")
            if (n := np.shape(values)) != shape:
                raise InputError(f"family {family}: {name} has shape {n}, the candidates {shape}")
            columns[name] = values
    if not columns:
        raise InputError(
            "params.yaml: features.groups names only families without a column, such as channels"
            " where the source has none; name one more"
        )
    return FeatureMatrix(
        np.stack([codes(values) for values in columns.values()], dtype=np.float32).T,
        list(columns),
        [name for name, values in columns.items() if is_category(values)],
    )
