"""Reads params.yaml strictly: unknown keys, wrong types and values out of range stop the stage
with one line.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, TypeVar

from harness.script import InputError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FILE = Path("params.yaml")
SECTIONS = (
    "data",
    "split",
    "als",
    "sources",
    "candidates",
    "features",
    "ranker",
    "baselines",
    "evaluate",
)


class Strict(BaseModel):
    """What every section is: nothing converted, nothing unknown, nothing infinite, no defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SharedParams(Strict):
    """The keys that stand outside the sections, since several stages read them."""

    seed: int = Field(ge=0, le=2**31 - 1)  # of ALS, the rankers, the samples and the bootstrap
    threads: int = Field(ge=0, le=1024)  # 0 = every core the process may use; never changes a byte
    folds: list[Annotated[str, Field(pattern=r"^(test|validation|label_[1-9][0-9]*)$")]]

    @field_validator("folds")
    @classmethod
    def _are_consecutive(cls, folds: list[str]) -> list[str]:
        n_labels = len(folds) - 2
        wanted = ["test", "validation", *(f"label_{i}" for i in range(1, n_labels + 1))]
        if n_labels < 1 or folds != wanted:
            raise ValueError("must be test, validation, label_1, label_2, … in this order")
        return folds

    @property
    def n_threads(self) -> int:
        """Threads to use, at least 1."""
        if self.threads:
            return self.threads
        has_affinity = hasattr(os, "sched_getaffinity")  # macOS has not
        return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


Section = TypeVar("Section", bound=BaseModel)


def _load() -> dict:
    try:
        tree = YAML(typ="safe").load(FILE)
    except FileNotFoundError:
        raise InputError(f"{FILE}: not found; run from the top folder of the repository") from None
    except YAMLError as error:
        raise InputError(f"{FILE}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{FILE}: must be a mapping of sections")
    for key in tree:
        if key not in (*SECTIONS, *SharedParams.model_fields):
            raise InputError(
                f"{FILE}: {_unknown(str(key), [*SharedParams.model_fields, *SECTIONS])}"
            )
    return tree


def _unknown(key: str, known: list[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(known)}"
    return f"{prefix}{key} is not a parameter; {hint}"


def _line(error: dict, model: type[BaseModel], prefix: str) -> str:
    """One line for one finding of pydantic: key, value, what is allowed."""
    if not error["loc"]:  # of a rule over several keys, which names them itself
        return error["msg"].removeprefix("Value error, ")
    *parents, last = (str(part) for part in error["loc"])
    key = prefix + ".".join((*parents, last))
    if error["type"] == "extra_forbidden":
        for parent in parents:
            model = model.model_fields[parent].annotation
        return _unknown(last, list(model.model_fields), prefix + "".join(f"{p}." for p in parents))
    if error["type"] == "missing":
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{key} is {error['input']!r}: {message}"


def _validate(values: object, model: type[Section], prefix: str) -> Section:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_line(finding, model, prefix) for finding in error.errors()]
        raise InputError("\n".join(f"{FILE}: {line}" for line in lines)) from None


def section(name: str, model: type[Section]) -> Section:
    """The section `name` of params.yaml, such as als or sources.item_knn, as `model`; InputError
    with one line per finding.
    """
    tree = _load()
    path = ""
    for key in name.split("."):
        path += key
        if key not in tree:
            raise InputError(f"{FILE}: the section {path} is missing")
        if not isinstance(tree[key], dict):
            raise InputError(f"{FILE}: {path} is {tree[key]!r}: must be a section")
        tree = tree[key]
        path += "."
    return _validate(tree, model, path)


def shared_params() -> SharedParams:
    """seed, threads and folds."""
    tree = _load()
    return _validate({key: tree[key] for key in tree if key not in SECTIONS}, SharedParams, "")
