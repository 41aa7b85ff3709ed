"""Figures as JSON. What is not known is NaN in Python, so that it can be computed with, and null in
the file, since JSON has no NaN.
"""

import json
import math
from collections.abc import Callable

Tree = dict | list | str | float | int | bool | None


def to_json(tree: Tree) -> str:
    """The text of a file, or of what is printed."""
    return json.dumps(_replaced(tree, _is_nan, None), indent=2, allow_nan=False)


def from_json(text: str) -> Tree:
    """What to_json has written."""
    return _replaced(json.loads(text), lambda value: value is None, math.nan)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _replaced(tree: Tree, is_unknown: Callable[[object], bool], by: float | None) -> Tree:
    """The same tree with every unknown leaf replaced."""
    if isinstance(tree, dict):
        return {key: _replaced(value, is_unknown, by) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_replaced(value, is_unknown, by) for value in tree]
    return by if is_unknown(tree) else tree
