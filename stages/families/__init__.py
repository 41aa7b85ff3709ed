"""Families of features. FAMILIES is the only list of their names.

To add a family, write its file, import it here, add a line to FAMILIES and add its name to
params.yaml (stages/README.md has an example). NaN means unknown, which LightGBM supports.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from core.script import InputError

import numpy as np
from pydantic import ValidationError, field_validator

from families.affinity import affinity, recent_affinity
from families.channels import channels
from families.columns import codes, is_category
from families.context import Context, Family, FamilyOfFold, FamilyParams, Rows
from families.demographics import demographics, group_popularity
from families.metadata import embedding, item, user
from families.popularity import activity, popularity
from families.similarity import similarity
from families.sources import als, scores, sources

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
    "group_popularity": group_popularity,
    "sources": sources,
    "scores": scores,
    "channels": channels,
}


class FeaturesParams(FamilyParams):
    """The section `features`: the families in use and the parameters that they share."""

    groups: list[Literal[*FAMILIES]]  # order of the columns
    scores: dict[str, object]  # models whose scores are features: models.registry.ScoresParams

    @field_validator("groups")
    @classmethod
    def _are_distinct(cls, groups: list[str]) -> list[str]:
        if not groups or len(set(groups)) < len(groups):
            raise ValueError("must have at least one family, and each once")
        return groups


def save_params(folder: Path, params: FeaturesParams) -> None:
    """Write the parameters into the folder of examples or models, for later stages."""
    text = params.model_copy(update={"scores": {}}).model_dump_json(indent=2)
    (folder / PARAMS).write_text(f"{text}\n", encoding="utf-8")


def load_params(folder: Path) -> FeaturesParams:
    """Read the file of save_params(); InputError if code with other parameters wrote it."""
    path = folder / PARAMS
    try:
        return FeaturesParams.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise InputError(f"{path}: written by another version of the code; run dvc repro") from None


class FeatureMatrix(NamedTuple):
    """Features of a block of candidates."""

    values: np.ndarray  # float32 (n_rows, n_features), in column-major order
    names: list[str]  # of the columns
    categorical: list[str]  # names of the columns with codes of categories


def families_of(context: Context, groups: list[str]) -> dict[str, FamilyOfFold]:
    """Return the families by name, as functions from rows to columns."""
    return {group: FAMILIES[group](context) for group in groups}


def feature_matrix(families: dict[str, FamilyOfFold], rows: Rows) -> FeatureMatrix:
    """Return the columns of all families in order.

    Raises InputError if a column has a wrong length or the name of an earlier column.
    """
    columns, shape = {}, rows.item.shape
    for family, of_family in families.items():
        for name, values in of_family(rows).items():
            if name in columns:
                raise InputError(
                    f"family {family}: another family also has a column {name}; rename it"
                )
            if (n := np.shape(values)) != shape:
                what = f"{name} has shape {n}; must be {shape}, as for the candidates"
                raise InputError(f"family {family}: {what}")
            columns[name] = values
    if not columns:
        raise InputError(
            "params.yaml: features.groups has only families without columns, because the source has"
            " no channels or no such metadata; add another family"
        )
    return FeatureMatrix(
        np.stack([codes(values) for values in columns.values()], dtype=np.float32).T,
        list(columns),
        [name for name, values in columns.items() if is_category(values)],
    )
