"""Settings to try: a grid, or draws from ranges.

An argument is KEY=VALUE,VALUE,... or, for draws, KEY=LOW..HIGH or KEY=LOW..HIGH:log, both ends
included. Values are those of YAML; KEY is a dotted key of params.yaml.
"""

import itertools
import math
import random
import re
from dataclasses import dataclass

from core.params import unknown
from core.script import InputError

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

NUMBER = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
RANGE = re.compile(rf"{NUMBER}\.\.{NUMBER}(:log)?")

Setting = dict[str, object]  # dotted key -> value


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, drawn evenly, or evenly on a logarithmic scale."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    def draw(self, rng: random.Random) -> float:
        """Return an integer if the parameter is one, else a number of three significant digits."""
        if self.is_log:
            number = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            number = rng.uniform(self.low, self.high)
        return round(number) if self.is_whole else float(f"{number:.3g}")


def parse(argument: str, present: Setting) -> tuple[str, list | Range]:
    """Return the key, and the values or the range to try. present: the leaves of params.yaml"""
    key, _, text = argument.partition("=")
    if hint := unknown([key], present):
        raise InputError(hint)
    if match := RANGE.fullmatch(text):
        low, high, is_log = float(match[1]), float(match[2]), bool(match[3])
        if low >= high or (is_log and low <= 0):
            raise InputError(f"{argument}: a range must rise and, with :log, begin above 0")
        return key, Range(low, high, is_log, isinstance(present[key], int))
    try:
        values = YAML(typ="safe").load(f"[{text}]")
    except YAMLError:
        values = []
    if not values or any(isinstance(value, dict) or value is None for value in values):
        raise InputError(f"{argument}: must be KEY=VALUE,VALUE,... or KEY=LOW..HIGH[:log]")
    return key, values


def grid(axes: dict[str, list | Range]) -> list[Setting]:
    """Return every combination of values; those of the last key change fastest."""
    for key, axis in axes.items():
        if isinstance(axis, Range):
            raise InputError(f"{key} is a range, to draw from: add --draws N, or list its values")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def draws(axes: dict[str, list | Range], n: int, seed: int) -> list[Setting]:
    """Return n different settings, or all if there are fewer. A larger n only appends settings."""
    rng, found = random.Random(seed), []
    for _ in range(100 * n):
        setting = {
            key: axis.draw(rng) if isinstance(axis, Range) else rng.choice(axis)
            for key, axis in axes.items()
        }
        if setting not in found:
            found.append(setting)
        if len(found) == n:
            break
    return found


def override(key: str, value: object) -> str:
    """Return KEY=VALUE as `dvc exp run -S` reads it."""

    def text(value: object) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(text, value))}]"
        if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w.-]*", value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return str(value).lower() if isinstance(value, bool) else str(value)

    return f"{key}={text(value)}"
