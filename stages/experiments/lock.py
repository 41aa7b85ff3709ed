"""Checks dvc.lock of a revision: it must agree with itself, with dvc.yaml and with params.yaml.

DVC records each stage by itself. Where a stage was run alone, or parameters or code were edited
between two stages, entries do not belong together, and no run of the pipeline gives such results.
"""

from pathlib import PurePosixPath

from core.params import changes, look_up
from core.script import InputError

from experiments.revision import Revision


def params_of(entry: dict) -> dict[str, object]:
    """Key -> value as recorded. A key is a dotted one, or one of a section."""
    return entry.get("params", {}).get("params.yaml", {})


def files_of(entry: dict) -> dict[str, str]:
    """Path -> md5 of the files and folders that a stage read or wrote."""
    return {one["path"]: one["md5"] for one in (*entry.get("deps", []), *entry["outs"])}


def checked_stages(revision: Revision) -> dict[str, dict]:
    """Stage -> its entry in dvc.lock, for the stages of the revision's dvc.yaml. InputError where a
    stage never ran, or where an entry contradicts another one or params.yaml.
    """
    lock = revision.tree("dvc.lock").get("stages", {})
    names = [*revision.tree("dvc.yaml").get("stages", ["evaluate"])]
    if reason := contradiction(revision, names, lock):
        raise InputError(f"{revision.name}: {reason}; run dvc repro there and commit")
    return {name: lock[name] for name in names}


def contradiction(revision: Revision, names: list[str], lock: dict[str, dict]) -> str | None:
    """The first one, with stage and key or path."""
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
    parents = {str(parent) for path in seen for parent in PurePosixPath(path).parents}
    for folder in sorted(parents & seen.keys()):
        md5, first = seen[folder]
        for path, expected in revision.files_in(folder, md5).items():
            if seen.get(path, [expected])[0] != expected:
                return f"`{seen[path][1]}` ran with another {path} than `{first}`"
    return None
