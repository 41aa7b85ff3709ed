"""Writes a preset of parameters for one kind of data into params.yaml. All comments stay.

usage: python stages/preset.py [NAME]      without NAME, lists the presets
in:    stages/presets.yaml: the values of each preset by dotted key; null removes the key
out:   params.yaml, and the changes on stdout; `dvc params diff` shows them, `git checkout
       params.yaml` reverts them
"""

from pathlib import Path

from core.params import FILE, parse_yaml
from core.script import InputError, report, run_script, whole

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from experiments.console import Arguments

PRESETS = Path(__file__).with_name("presets.yaml")


def last_leaf(node: CommentedMap | CommentedSeq, key: object) -> tuple:
    """Return parent and key of the last value below node[key], at any depth."""
    while node[key] and isinstance(node[key], CommentedMap | CommentedSeq):
        node = node[key]
        key = len(node) - 1 if isinstance(node, CommentedSeq) else list(node)[-1]
    return node, key


def apply(tree: CommentedMap, values: dict[str, object]) -> list[str]:
    """Set the values of dotted keys in the tree. Returns a line for each change.

    ruamel.yaml attaches blank lines and comments after a section to its last value, so they are
    moved to the new last value.
    """
    lines = []
    for dotted, value in values.items():
        (*parents, name), of = dotted.split("."), tree
        for parent in parents:
            of = of.get(parent, {})
        old = of.get(name)
        if value == old:
            continue
        if old is None:
            raise InputError(f"{FILE}: {dotted} is missing; git checkout {FILE} restores it")
        end, key = last_leaf(tree, dotted.partition(".")[0])
        behind = next(filter(None, end.ca.items.pop(key, [])), None)
        if value is None:
            del of[name]
        else:
            of[name] = CommentedSeq(value) if isinstance(value, list) else value
        if behind:
            end, key = last_leaf(tree, dotted.partition(".")[0])
            of_map = isinstance(end, CommentedMap)
            end.ca.items[key] = [None, None, behind, None] if of_map else [behind, None, None, None]
        new = "removed" if value is None else repr(value)
        lines.append(f"{dotted}: {old!r} -> {new}")
    return lines


def main(arguments: list[str]) -> None:
    presets = YAML(typ="safe").load(PRESETS)
    names = ", ".join(presets)
    parser = Arguments("preset", __doc__)
    parser.add_argument("name", nargs="?", metavar="NAME")
    name = parser.parse_args(arguments).name
    if name is None:
        report(f"presets: {names}; python stages/preset.py NAME writes one to {FILE}")
        return
    if name not in presets:
        raise InputError(f"{name}: no such preset; must be one of {names}")
    parse_yaml(FILE.read_bytes(), str(FILE))  # an InputError if it is broken
    yaml = YAML(typ="rt")
    yaml.width = 200  # keeps lines as they are
    tree = yaml.load(FILE)
    lines = apply(tree, presets[name])
    with whole(FILE) as temporary:
        yaml.dump(tree, temporary)
    for line in lines or ["nothing to change"]:
        report(line)


if __name__ == "__main__":
    run_script(main)
