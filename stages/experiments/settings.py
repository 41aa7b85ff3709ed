"""Settings to try: a grid, or draws from ranges by a sampler of Optuna.

An argument is KEY=VALUE,VALUE,... or, for draws, KEY=LOW..HIGH or KEY=LOW..HIGH:log, both ends
included. Values are those of YAML; KEY is a dotted key of params.yaml.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.params import unknown
from core.script import InputError

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

if TYPE_CHECKING:
    import optuna

NUMBER = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
RANGE = re.compile(rf"{NUMBER}\.\.{NUMBER}(:log)?")

Setting = dict[str, object]  # dotted key -> value


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, uniform, or uniform on a logarithmic scale."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    def draw(self, trial: "optuna.Trial", key: str) -> float:
        """Draw an integer, or a number with three significant digits."""
        if self.is_whole:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.is_log)
        return float(f"{trial.suggest_float(key, self.low, self.high, log=self.is_log):.3g}")


def parse(argument: str, present: Setting) -> tuple[str, list | Range]:
    """Return the key and the values or the range to try. present  the leaves of params.yaml"""
    key, _, text = argument.partition("=")
    if hint := unknown([key], present):
        raise InputError(hint)
    if match := RANGE.fullmatch(text):
        low, high, is_log = float(match[1]), float(match[2]), bool(match[3])
        if low >= high or (is_log and low <= 0):
            raise InputError(f"{argument}: LOW must be below HIGH and, with :log, above 0")
        is_whole = isinstance(present[key], int)
        if is_whole and not (low.is_integer() and high.is_integer()):
            raise InputError(f"{argument}: {key} is an integer, so both ends must be integers")
        return key, Range(low, high, is_log, is_whole)
    try:
        values = YAML(typ="safe").load(f"[{text}]")
    except YAMLError:
        values = []
    if not values or any(isinstance(value, dict) or value is None for value in values):
        raise InputError(f"{argument}: must be KEY=VALUE,VALUE,... or KEY=LOW..HIGH[:log]")
    return key, values


def grid(axes: dict[str, list | Range]) -> list[Setting]:
    """Return every combination of values; values of the last key change fastest."""
    for key, axis in axes.items():
        if isinstance(axis, Range):
            raise InputError(f"{key} is a range: add --draws N, or list its values")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


class Draws:
    """Different settings, drawn one after the other. Call tell() after each of them.

    `tpe` models the metric of earlier settings and draws where it expects a higher one (Bergstra et
    al. 2011, Algorithms for Hyper-Parameter Optimization); its first ten draws are random. `random`
    ignores the metric. The same seed and metrics give the same settings. Optuna keeps settings only
    in memory, so a repeated search draws them again.
    """

    def __init__(self, axes: dict[str, list | Range], n: int, sampler: str, seed: int) -> None:
        import optuna  # takes a second, and a grid does not need it

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        own = samplers[sampler](seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=own)
        self._axes, self._n = axes, n
        self._known: list[tuple[Setting, float]] = []

    def tell(self, setting: Setting, value: float) -> None:
        """Record the metric of a setting, which will not be drawn again."""
        self._known.append((setting, value))

    def __iter__(self) -> Iterator[Setting]:
        """Yield n settings, or fewer if 100 consecutive draws are not new."""
        n_known = 0
        while n_known < 100 and self._n > 0:
            trial = self._study.ask()
            setting = {
                key: axis.draw(trial, key)
                if isinstance(axis, Range)
                else axis[trial.suggest_categorical(key, range(len(axis)))]
                for key, axis in self._axes.items()
            }
            if is_new := all(setting != one for one, _ in self._known):
                yield setting
            n_known = 0 if is_new else n_known + 1
            self._n -= is_new
            (value,) = (value for one, value in self._known if one == setting)
            self._study.tell(trial, value)
