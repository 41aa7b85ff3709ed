"""Settings to try: a grid, or draws from ranges.

An argument is KEY=VALUE,VALUE,... or, for draws, KEY=LOW..HIGH or KEY=LOW..HIGH:log, both ends
included. Values are those of YAML; KEY is a dotted key of params.yaml.
"""

import difflib
import itertools
import math
import random
import re
from dataclasses import dataclass

from harness.script import InputError

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

RANGE = re.compile(r"([^.,\[\]]+(?:\.\d+)?)\.\.([^,\[\]:]+)(:log)?")
SIGNIFICANT_DIGITS = 3  # of a number that is drawn

Setting = dict[str, object]  # dotted key -> value


@dataclass(frozen=True)
class Values:
    """Values of a key, tried one after the other or drawn."""

    values: list[object]

    def draw(self, rng: random.Random) -> object:
        """One of them, each as probable."""
        return rng.choice(self.values)


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, drawn evenly, or evenly on a logarithmic scale."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    def draw(self, rng: random.Random) -> float:
        """A whole number where the parameter is one, else one of three significant digits."""
        if self.is_log:
            number = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            number = rng.uniform(self.low, self.high)
        if self.is_whole:
            return min(max(round(number), math.ceil(self.low)), math.floor(self.high))
        return min(max(float(f"{number:.{SIGNIFICANT_DIGITS}g}"), self.low), self.high)


def parse(argument: str, known: Setting) -> tuple[str, Values | Range]:
    """The key and what to try of it; `known` are the leaves of params.yaml."""
    key, equals, text = argument.partition("=")
    if not equals or not text:
        raise InputError(f"{argument}: must be KEY=VALUE,VALUE,... or KEY=LOW..HIGH")
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "see params.yaml"
        raise InputError(f"{key} is not a parameter; {hint}")
    if match := RANGE.fullmatch(text):
        return key, range_of(argument, match, known[key])
    try:
        values = YAML(typ="safe").load(f"[{text}]")
    except YAMLError:
        raise InputError(f"{argument}: the values are not YAML") from None
    if any(isinstance(value, dict) or value is None for value in values):
        raise InputError(f"{argument}: each value must be a number, a word or a list")
    return key, Values(values)


def range_of(argument: str, match: re.Match, present: object) -> Range:
    """A range of numbers for a parameter with this present value."""
    try:
        low, high = float(match[1]), float(match[2])
    except ValueError:
        raise InputError(f"{argument}: the ends of a range must be numbers") from None
    if isinstance(present, bool) or not isinstance(present, int | float):
        raise InputError(f"{argument}: the parameter is {present!r}, no number: list its values")
    if not low < high or not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{argument}: the lower end must be below the upper one")
    if match[3] and low <= 0:
        raise InputError(f"{argument}: a logarithmic range must begin above 0")
    return Range(low, high, bool(match[3]), isinstance(present, int))


def grid(axes: dict[str, Values | Range]) -> list[Setting]:
    """Every combination of values, the last key's changing fastest."""
    for key, axis in axes.items():
        if isinstance(axis, Range):
            raise InputError(f"{key} is a range, to draw from: add --draws N, or list its values")
    every = itertools.product(*(axis.values for axis in axes.values()))
    return [dict(zip(axes, values, strict=True)) for values in every]


def draws(axes: dict[str, Values | Range], n: int, seed: int) -> list[Setting]:
    """n different settings, or fewer where there are not so many; the first ones are the same
    whatever n is, so that a search can be continued.
    """
    rng, found = random.Random(seed), []
    for _ in range(100 * n):
        setting = {key: axis.draw(rng) for key, axis in axes.items()}
        if setting not in found:
            found.append(setting)
        if len(found) == n:
            break
    return found


def override(key: str, value: object) -> str:
    """KEY=VALUE as `dvc exp run -S` reads it."""
    return f"{key}={_text(value)}"


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w.-]*", value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def name_of(prefix: str, setting: Setting) -> str:
    """The name of an experiment, such as search-factors16-alpha5.0: one that git takes."""
    parts = [f"{key.rpartition('.')[2]}{_text(value)}" for key, value in setting.items()]
    name = "-".join([prefix, *(re.sub(r"[^\w.-]+", "_", part).strip("_.") for part in parts)])
    return re.sub(r"\.{2,}", ".", name)
