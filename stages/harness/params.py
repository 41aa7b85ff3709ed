"""Reads params.yaml strictly: unknown keys, wrong types and values out of range stop the stage
with one line.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, TypeVar, get_args, get_origin

from harness import script
from harness.script import InputError
from harness.tree import changes, look_up, shown, written

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
    "spark",
)

MOST_COLLECTIONS = 10_000  # lists and mappings; far more of them, nested, would crash the parser


class Strict(BaseModel):
    """What every section is: nothing converted, nothing unknown, nothing infinite, no defaults.
    Every number has a least and a largest value: libraries crash, or stall, beyond theirs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def kind_of(fold: str) -> str:
    """test, validation or label: what a fold is for, by its name."""
    return fold.partition("_")[0]


def is_judged(fold: str) -> bool:
    """Whether the fold judges models; those that do not only train rankers."""
    return kind_of(fold) != "label"


FOLD = r"^((test|validation)(_[2-9]|_[1-9][0-9]+)?|label_[1-9][0-9]*)$"


class SharedParams(Strict):
    """The keys that stand outside the sections, since several stages read them."""

    seed: int = Field(ge=0, le=2**31 - 1)  # of ALS, the rankers, the samples and the bootstrap
    threads: int = Field(ge=0, le=256)  # 0 = every core the process may use; never changes a byte
    folds: list[Annotated[str, Field(pattern=FOLD)]]  # consecutive windows, the latest first

    @field_validator("folds")
    @classmethod
    def _are_consecutive(cls, folds: list[str]) -> list[str]:
        wanted = []
        for kind in ("test", "validation", "label"):
            number = sum(kind_of(fold) == kind for fold in folds)
            first = "label_1" if kind == "label" else kind
            wanted += [first, *(f"{kind}_{i}" for i in range(2, number + 1))]
        if folds != wanted:
            raise ValueError(
                "must be test, test_2, …, validation, validation_2, …, label_1, label_2, … in this "
                "order, at least one of each"
            )
        return folds

    @property
    def judged(self) -> list[str]:
        """The folds that judge models, the latest first."""
        return [fold for fold in self.folds if is_judged(fold)]

    def of_kind(self, kind: str) -> list[str]:
        """The folds of a kind, such as validation, the latest first."""
        return [fold for fold in self.folds if kind_of(fold) == kind]

    def before(self, fold: str, most: int) -> list[str]:
        """The folds that come before this one in time, at most so many, the latest first."""
        start = self.folds.index(fold) + 1
        return self.folds[start : start + most]

    @property
    def n_threads(self) -> int:
        """Threads to use, at least 1."""
        if self.threads:
            return self.threads
        has_affinity = hasattr(os, "sched_getaffinity")  # macOS has not
        return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


Section = TypeVar("Section", bound=BaseModel)
READ: list[tuple[str, object]] = []  # dotted key and value, of all that this process has read


def check_unchanged() -> None:
    """InputError where the file no longer says what this process has read of it: DVC records what
    it says when a stage ends, so that the results would be taken for those of other parameters.
    """
    now = _load()
    for key, value in READ:
        for name, before, after in changes(key, value, look_up(now, key)):
            raise InputError(
                f"{FILE}: {name} was {shown(before)} when it was read, and is {shown(after)} now:"
                " the results are of the former, and not kept; run it again"
            )


def remember(key: str, value: object) -> None:
    """Has this value compared with the file until this run of the script ends."""
    if script.checks is None:
        return
    if check_unchanged not in script.checks:  # the first of a run
        READ.clear()
        script.checks.append(check_unchanged)
    if (key, value) not in READ:
        READ.append((key, value))


def _load() -> dict:
    try:
        text = FILE.read_bytes()
        if sum(map(text.count, (b"[", b"{", b"- "))) > MOST_COLLECTIONS:
            raise RecursionError
        tree = YAML(typ="safe").load(text)
    except FileNotFoundError:
        raise InputError(f"{FILE}: not found; run from the top folder of the repository") from None
    except OSError as error:
        raise InputError(f"{FILE}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InputError(f"{FILE}: lists or sections stand too deep within each other") from None
    except (YAMLError, ValueError, LookupError) as error:  # these two for values of no type
        raise InputError(f"{FILE}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{FILE}: must be a mapping of sections")
    for key in tree:
        if key not in (*SECTIONS, *SharedParams.model_fields):
            raise InputError(f"{FILE}: {_unknown(key, [*SharedParams.model_fields, *SECTIONS])}")
    return tree


def _unknown(key: object, known: list[str], prefix: str = "") -> str:
    name = written(key)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(known)}"
    return f"{prefix}{name} is not a parameter; {hint}"


def _section_of(path: list[str | int], model: type[BaseModel]) -> tuple[list[str], object]:
    """The keys of a path as the file has them, and the class of the section they lead to. Pydantic
    counts the settings of a list and names the member of a union, which the file does not.
    """
    keys, found = [], model
    for part in path:
        if get_origin(found) is list:
            found = get_args(found)[0]
        elif get_origin(found) is dict:
            keys.append(part)
            found = get_args(found)[1]
        elif get_origin(found) is Annotated:  # a union, of which `model` names the member
            members = get_args(get_args(found)[0])
            found = next(m for m in members if part in get_args(m.model_fields["model"].annotation))
        else:
            keys.append(part)
            found = found.model_fields[part].annotation
    return keys, found


def _line(error: dict, model: type[BaseModel], prefix: str) -> str:
    """One line for one finding of pydantic: key, value, what is allowed."""
    if not error["loc"]:  # of a rule over several keys, which names them itself
        return error["msg"].removeprefix("Value error, ")
    *parents, last = error["loc"]
    parents, model = _section_of(parents, model)
    key = prefix + ".".join(map(written, (*parents, last)))
    if error["type"] == "extra_forbidden":
        known, parent = list(model.model_fields), "".join(f"{name}." for name in parents)
        return _unknown(last, known, prefix + parent)
    if error["type"] == "union_tag_not_found":
        return f"{key}.model is missing"
    if error["type"] == "union_tag_invalid":
        context = error["ctx"]
        return f"{key}.model is {shown(context['tag'])}: must be one of {context['expected_tags']}"
    if error["type"] == "missing":
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{key} is {shown(error['input'])}: {message}"


def _validate(values: object, model: type[Section], prefix: str) -> Section:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = dict.fromkeys(_line(finding, model, prefix) for finding in error.errors())
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
            raise InputError(f"{FILE}: {path} is {shown(tree[key])}: must be a section")
        tree = tree[key]
        path += "."
    found = _validate(tree, model, path)
    remember(name, tree)
    return found


def shared_params() -> SharedParams:
    """seed, threads and folds; threads, which change no byte, may change while a stage runs."""
    tree = _load()
    values = {key: tree[key] for key in tree if key not in SECTIONS}
    found = _validate(values, SharedParams, "")
    for key in ("seed", "folds"):
        remember(key, values[key])
    return found
