"""Files that change while they are read."""

import os
from contextlib import nullcontext
from pathlib import Path

from core import script
from core.script import InputError, whole

import pytest

import readers
from readers import DataParams
from test_movielens import params_of


def rewrite(path: Path) -> None:
    """The same size and time; another file."""
    of = path.stat()
    other = path.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(of.st_atime_ns, of.st_mtime_ns))
    other.replace(path)


CHANGES = {
    "none": lambda path: None,
    "replaced": rewrite,
    "longer": lambda path: path.write_text("longer"),
    "gone": Path.unlink,
    "touched": lambda path: os.utime(path, ns=(1, 1)),
    "more": lambda path: (path.parent / "deep/more").write_text(""),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["while it is read", "afterwards"])
def test_a_change_is_one_line_and_nothing_is_written(
    change: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a folder and a link to nothing."""
    path, out = tmp_path / "data/x.parquet", tmp_path / "out"
    (path.parent / "deep").mkdir(parents=True)
    (path.parent / "nowhere").symlink_to("nothing")
    path.write_text("one")
    now, later = CHANGES[change], CHANGES["none"]
    if when == "afterwards":
        now, later = later, now
    monkeypatch.setitem(readers.READERS, "vk-notebook", lambda _: now(path))
    monkeypatch.setattr(script, "checks", [])
    readers.read(DataParams(**params_of(path.parent, "vk-notebook").model_dump()))
    later(path)
    place = path.parent / "deep/more" if change == "more" else path
    line = f"^{place}: changed while it was read; run it"
    is_same = change == "none"
    with nullcontext() if is_same else pytest.raises(InputError, match=line), whole(out) as file:
        file.touch()
    assert out.exists() == is_same
