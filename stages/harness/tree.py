"""Trees of dictionaries, such as params.yaml, by dotted keys; and how a message shows a value."""

import itertools
import reprlib


class Shown(reprlib.Repr):
    """Python's repr of a value, cut where it is long or deep."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict = 4, 40, 20
        self.maxstring, self.maxlong, self.maxother = 200, 100, 200

    def repr_int(self, value: int, level: int) -> str:
        """Python refuses to write an integer of more than some thousand digits."""
        if value.bit_length() > 300:  # 90 digits
            return f"an integer of {value.bit_length()} bits"
        return super().repr_int(value, level)

    def repr_dict(self, value: dict, level: int) -> str:
        """In the order of the file, which the library would sort."""
        if level <= 0:
            return "{...}"
        first = itertools.islice(value.items(), self.maxdict)
        pairs = [f"{self.repr1(key, level - 1)}: {self.repr1(of, level - 1)}" for key, of in first]
        return "{" + ", ".join(pairs + ["..."] * (len(value) > self.maxdict)) + "}"


shown = Shown().repr


def leaves(tree: object, prefix: str = "") -> dict[str, object]:
    """Dotted key -> value, of a tree of dictionaries."""
    if not isinstance(tree, dict) or not tree:
        return {prefix.removesuffix("."): tree}
    below = (leaves(of, f"{prefix}{name}.") for name, of in tree.items())
    return {key: value for part in below for key, value in part.items()}


def look_up(tree: dict, dotted: str) -> object:
    """The value under a dotted key, None where there is none."""
    for name in dotted.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def changes(key: str, before: object, after: object) -> list[tuple[str, object, object]]:
    """Dotted key, value before and value after, of every leaf below the key that differs; None for
    none.
    """
    old, new = leaves(before, f"{key}."), leaves(after, f"{key}.")
    pairs = [(name, old.get(name), new.get(name)) for name in {**old, **new}]
    return [pair for pair in pairs if pair[1] != pair[2]]
