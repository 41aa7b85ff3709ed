"""Every stage makes the same bytes in a folder that holds only what it declares."""

import copy
from pathlib import Path

import pytest

from alone import run_alone
from clone import Clone
from test_dvc_yaml import STAGES


def locked(clone: Clone, name: str) -> dict:
    """The entry of a stage in the lock files."""
    locks = ("dvc.lock", "stages/extra/dvc.lock")
    entries = {k: v for lock in locks for k, v in clone.yaml(lock)["stages"].items()}
    return copy.deepcopy(entries[name])


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_needs_what_it_declares_and_nothing_else(
    name: str, clone: Clone, tmp_path: Path
) -> None:
    assert run_alone(clone, locked(clone, name), tmp_path / "box") == ""


@pytest.mark.parametrize(
    ("name", "kind", "path", "complaint"),
    [
        ("candidates", "deps", "data/als", "No such file"),
        ("candidates", "deps", "stages/models", "models"),
        ("als", "params", "als", "the section als is missing"),
        ("als", "params", "seed", "other bytes in data/als/label_1.npz"),
        ("download", "params", "data.path", "data.path is 'elsewhere'"),
        ("evaluate", "outs", "metrics/tables", "writes metrics/tables/by_k_test.csv"),
    ],
)
def test_what_is_not_declared_is_seen(
    name: str, kind: str, path: str, complaint: str, clone: Clone, tmp_path: Path
) -> None:
    """A file, a module, a section, a key, half a section, an output."""
    entry = locked(clone, name)
    if kind == "params":
        del entry["params"]["params.yaml"][path]
    else:
        kept = [one for one in entry[kind] if one["path"] != path]
        assert len(kept) == len(entry[kind]) - 1
        entry[kind] = kept
    assert complaint in run_alone(clone, entry, tmp_path / "box")


def test_a_changed_input_is_seen(clone: Clone, tmp_path: Path) -> None:
    entry = locked(clone, "split")
    entry["cmd"] += " && echo >> data/tables/interactions.parquet"
    assert "changes data/tables/interactions.parquet" in run_alone(clone, entry, tmp_path / "box")
