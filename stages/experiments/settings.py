"""Settings to try: a grid, or draws from ranges by a sampler of Optuna.

An argument is KEY=VALUE,VALUE,... or, for draws, KEY=LOW..HIGH or KEY=LOW..HIGH:log, both ends
included. Values are those of YAML; KEY is a dotted key of params.yaml.
"""

import itertools
import re
from collections.abc import Iterator
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
    """Numbers from low to high, uniform, or uniform on a logarithmic scale."""

    low: float
    high: float
    is_log: bool
    is_whole: bool


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
        self._study = optuna.create_study(
            direction="maximize", sampler=samplers[sampler](seed=seed)
        )
        self._axes, self._n = axes, n
        self._known: list[tuple[Setting, float]] = []
        self._distributions = {}
        for key, axis in axes.items():
            if not isinstance(axis, Range):
                one = optuna.distributions.CategoricalDistribution(range(len(axis)))
            elif axis.is_whole:
                ends = int(axis.low), int(axis.high)
                one = optuna.distributions.IntDistribution(*ends, log=axis.is_log)
            else:
                one = optuna.distributions.FloatDistribution(axis.low, axis.high, log=axis.is_log)
            self._distributions[key] = one

    def tell(self, setting: Setting, value: float) -> None:
        """Record the metric of a setting, which will not be drawn again."""
        self._known.append((setting, value))

    def __iter__(self) -> Iterator[Setting]:
        """Yield n settings, or fewer if 100 consecutive draws are not new."""
        n_known = 0
        while n_known < 100 and self._n > 0:
            trial = self._study.ask(self._distributions)
            setting = {key: self._value(key, drawn) for key, drawn in trial.params.items()}
            if is_new := all(setting != one for one, _ in self._known):
                yield setting
            n_known = 0 if is_new else n_known + 1
            self._n -= is_new
            (value,) = (value for one, value in self._known if one == setting)
            self._study.tell(trial, value)

    def _value(self, key: str, drawn: float) -> object:
        """Return a listed value, an integer, or a number with three significant digits."""
        axis = self._axes[key]
        if isinstance(axis, Range):
            return drawn if axis.is_whole else float(f"{drawn:.3g}")
        return axis[drawn]


def override(key: str, value: object) -> str:
    """Return KEY=VALUE as `dvc exp run -S` reads it."""

    def text(value: object) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(text, value))}]"
        if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w.-]*", value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return str(value).lower() if isinstance(value, bool) else str(value)

    return f"{key}={text(value)}"
