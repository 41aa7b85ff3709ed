"""Reads params.yaml strictly.

An unknown key, a wrong type or a value out of range stops the stage with one line that has the key,
the value and what is allowed.
"""

import difflib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

from core import script
from core.script import InputError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FILE = Path("params.yaml")
SECTIONS = ("data", "split", "als", "sources", "candidates", "features", "ranker", "baselines")
SECTIONS += ("evaluate", "everyone", "spark")
NO_COLD = "was removed, delete it: the family group_popularity ranks the lists of cold users"
GONE = {  # dotted keys of earlier versions
    "spark.alive_windows": "is now candidates.alive_windows",
    "ranker.cold_n_estimators": NO_COLD,
    "ranker.cold_min_lists": NO_COLD,
    "features.cold_groups": NO_COLD,
}


class Strict(BaseModel):
    """Base class of all sections: no unknown keys, no conversions, no NaN.

    In subclasses every number has a range, because libraries crash or stall on extreme values, and
    no field has a default, because DVC cannot see defaults in code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_no_unknown_keys(cls, values: object) -> object:
        if isinstance(values, dict) and (hint := unknown(values, cls.model_fields)):
            raise PydanticCustomError("unknown", "{hint}", {"hint": hint})
        return values


def kind_of(fold: str) -> str:
    """Return the kind of a fold: test, validation or label."""
    return fold.partition("_")[0]


def is_judged(fold: str) -> bool:
    """Return whether models are evaluated on the fold. Label folds only train rankers."""
    return kind_of(fold) != "label"


class SharedParams(Strict):
    """Top-level keys that several stages read."""

    seed: int = Field(ge=0, le=2**31 - 1)  # of ALS, the rankers, the samples and the bootstrap
    threads: int = Field(ge=0, le=256)  # 0: all cores that the process may use; changes no result
    folds: list[str]  # consecutive windows, the latest first; see core.folds

    @field_validator("folds")
    @classmethod
    def _are_consecutive(cls, folds: list[str]) -> list[str]:
        wanted = []
        for kind in ("test", "validation", "label"):
            n = sum(kind_of(fold) == kind for fold in folds)
            first = "label_1" if kind == "label" else kind
            wanted += [first, *(f"{kind}_{i}" for i in range(2, n + 1))]
        if folds != wanted:
            order = "test, test_2, …, validation, validation_2, …, label_1, label_2, …"
            raise ValueError(f"must be {order} in this order, at least one of each")
        return folds

    @property
    def n_threads(self) -> int:
        """Number of threads to use, at least 1."""
        if hasattr(os, "sched_getaffinity"):  # not on macOS
            return self.threads or len(os.sched_getaffinity(0))
        return self.threads or os.cpu_count()


Section = TypeVar("Section", bound=BaseModel)


def section(name: str, model: type[Section]) -> Section:
    """Return a section such as sources.item_knn. Raises InputError, one line per invalid key."""
    values = look_up(load(), name)
    if values is None:
        raise InputError(f"{FILE}: the section {name} is missing")
    _remember(name, values)
    return _validated(values, model, [name])


def shared_params() -> SharedParams:
    """Return seed, threads and folds. Only threads may change while a script runs."""
    values = {key: value for key, value in load().items() if key not in SECTIONS}
    for key in values.keys() - {"threads"}:
        _remember(key, values[key])
    return _validated(values, SharedParams, [])


def load() -> dict:
    """Return the whole file. Raises InputError if it is missing or has an unknown section."""
    try:
        return _parsed(FILE.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{FILE}: not found; run from the top folder of the repository") from None


def parse_yaml(text: bytes, where: str) -> object:
    """Parse YAML. Raises InputError that starts with `where` if the text is invalid."""
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(" To suppress")[0]  # without its advice
        raise InputError(f"{where}: not YAML: {reason}") from None


@cache
def _parsed(text: bytes) -> dict:
    tree = parse_yaml(text, str(FILE))
    if not isinstance(tree, dict):
        raise InputError(f"{FILE}: must be a mapping of sections")
    if gone := [key for key in GONE if look_up(tree, key) is not None]:
        raise InputError("\n".join(f"{FILE}: {key} {GONE[key]}" for key in gone))
    if hint := unknown(tree, [*SharedParams.model_fields, *SECTIONS]):
        raise InputError(f"{FILE}: {hint}")
    return tree


def unknown(names: Iterable[object], known: Iterable[str]) -> str | None:
    """Return a message about the first unknown name, or None if all are known."""
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            return f"{name} is not a parameter; {hint}"
    return None


def _validated(values: object, model: type[Section], place: list[str]) -> Section:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = dict.fromkeys(_line(finding, values, place) for finding in error.errors())
        raise InputError("\n".join(f"{FILE}: {line}" for line in lines)) from None


def _line(error: dict, values: object, place: list[str]) -> str:
    """Return one line for one error of pydantic: key, value, what is allowed."""
    for part in error["loc"]:  # skips parts that are not in the file, such as members of a union
        if part in values if isinstance(values, dict) else isinstance(values, list):
            place, values = [*place, str(part)], values[part]
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if error["type"] == "missing":
        return f"{'.'.join([*place, error['loc'][-1]])} is missing"
    if error["type"] == "unknown":
        return ".".join([*place, message])
    if error["type"] == "value_error" and not error["loc"]:  # the message contains several keys
        return message
    return f"{'.'.join(place)} is {error['input']!r}: {message}"


def _remember(key: str, value: object) -> None:
    """Check until the script ends that the file keeps the value, because DVC would record it."""

    def check() -> None:
        for name, before, after in changes(key, value, look_up(load(), key)):
            what = f"{name} was {before!r} when it was read, and is {after!r} now"
            raise InputError(f"{FILE}: {what}; the outputs were discarded, run it again")

    if script.checks is not None:
        script.checks.append(check)


def leaves(tree: object, prefix: str = "") -> dict[str, object]:
    """Return the values of a tree by dotted key."""
    if not isinstance(tree, dict) or not tree:
        return {prefix.removesuffix("."): tree}
    below = (leaves(of, f"{prefix}{name}.") for name, of in tree.items())
    return {key: value for part in below for key, value in part.items()}


def look_up(tree: dict, dotted: str) -> object:
    """Return the value under a dotted key, None if there is none."""
    for name in dotted.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def changes(key: str, before: object, after: object) -> list[tuple[str, object, object]]:
    """Return (dotted key, old value, new value) of every changed leaf; None if it is missing."""
    old, new = leaves(before, f"{key}."), leaves(after, f"{key}.")
    pairs = [(name, old.get(name), new.get(name)) for name in {**old, **new}]
    return [pair for pair in pairs if pair[1] != pair[2]]
