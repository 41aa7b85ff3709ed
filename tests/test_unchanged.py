"""Files that change while they are read."""

import os
from pathlib import Path

from harness import script
from harness.script import InputError, whole

import pytest

import readers
from readers.unchanged import unchanged
from test_movielens import params_of


def rewrite(path: Path) -> None:
    """The same size and time; another file."""
    of = path.stat()
    other = path.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(of.st_atime_ns, of.st_mtime_ns))
    other.replace(path)


CHANGES = {
    "replaced": rewrite,
    "longer": lambda path: path.write_text("longer"),
    "gone": Path.unlink,
    "touched": lambda path: os.utime(path, ns=(1, 1)),
    "more": lambda path: (path.parent / "deep/more").write_text(""),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder, beside a folder and a link to nothing."""
    path = tmp_path / "data" / "x.parquet"
    (path.parent / "deep").mkdir(parents=True)
    (path.parent / "nowhere").symlink_to("nothing")
    path.write_text("one")
    return path


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_one_line_and_nothing_is_written(
    change: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "checks", [])
    out = path.parents[1] / "out"

    def read_and_write(when: str) -> None:
        with unchanged(path.parent):
            if when == "while it is read":
                CHANGES[change](path)
        CHANGES[change](path)
        with whole(out) as temporary:
            temporary.touch()

    place = path.parent / "deep/more" if change == "more" else path
    for when in ("afterwards", "while it is read"):
        with pytest.raises(InputError, match=f"^{place}: has changed while it was read; run it"):
            read_and_write(when)
        path.write_text("one")
        (path.parent / "deep/more").unlink(missing_ok=True)
        script.checks.clear()
    assert not out.exists()


def test_a_change_comes_before_the_error_that_it_makes(path: Path) -> None:
    def read() -> None:
        with unchanged(path.parent):
            path.write_text("longer")
            raise ValueError("could not broadcast")

    with pytest.raises(InputError, match="has changed"):
        read()


def test_the_folder_of_every_source_is_watched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers.READERS, "vk-notebook", lambda _: path.write_text("longer"))
    with pytest.raises(InputError, match="has changed"):
        readers.read(params_of(path.parent, "vk-notebook"))


def test_without_a_change_everything_is_as_it_was(path: Path) -> None:
    with unchanged(path.parent):
        path.read_text()
    with pytest.raises(ValueError, match="a bug"), unchanged(path.parent):
        raise ValueError("a bug")
    with unchanged(path.parent / "absent"):
        pass
