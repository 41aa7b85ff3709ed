"""Checks that dvc.lock of a revision is consistent with itself, with params.yaml and the files.

DVC records each stage separately. If a stage was run alone, or parameters or code were edited
between two stages, the entries come from different runs, and no single run gives such results.
"""

from core.params import changes, look_up
from core.script import InputError

from experiments.revision import Revision


def params_of(entry: dict) -> dict[str, object]:
    """Return the recorded parameters: dotted key or section -> value."""
    return entry.get("params", {}).get("params.yaml", {})


def files_of(entry: dict) -> dict[str, str]:
    """Return path -> md5 of the files and folders that a stage read or wrote."""
    return {one["path"]: one["md5"] for one in (*entry.get("deps", []), *entry["outs"])}


def checked_stages(revision: Revision) -> dict[str, dict]:
    """Return the entry of each stage in dvc.lock. Raises InputError if they are inconsistent."""
    lock = revision.tree("dvc.lock").get("stages", {})
    names = [*revision.tree("dvc.yaml").get("stages", ["evaluate"])]
    if reason := contradiction(revision, names, lock):
        raise InputError(f"{revision.name}: {reason}; run dvc repro there and commit all")
    return {name: lock[name] for name in names}


def contradiction(revision: Revision, names: list[str], lock: dict[str, dict]) -> str | None:
    """Return a message about the first inconsistency, with stage and key or path."""
    for name in names:
        if any(other.startswith(f"{name}@") for other in lock) and name not in lock:
            return "made by an earlier version of the pipeline, whose results cannot be compared"
        if name not in lock:
            return f"`{name}` never ran"
    now = revision.tree("params.yaml")
    for name in names:
        for key, value in params_of(lock[name]).items():
            for leaf, before, after in changes(key, value, look_up(now, key)):
                return f"`{name}` ran with {leaf} {before}, and params.yaml has {after}"
    seen: dict[str, tuple[str, str]] = {}  # path -> md5 and the first stage that records it
    for name in names:
        for path, md5 in files_of(lock[name]).items():
            expected, first = seen.setdefault(path, (md5, name))
            if md5 != expected:
                return f"`{name}` ran with another {path} than `{first}`"
    for path, (expected, name) in seen.items():
        if path.startswith("data/"):  # read from the cache, so present files do not matter
            continue
        md5, is_tracked = revision.md5_of(path), path.startswith(("stages/", "metrics/"))
        if md5 != expected and (md5 or is_tracked):
            return f"the run of `{name}` had another {path} than is there now"
    return None
