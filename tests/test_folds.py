"""The folds of params.yaml, and outputs of stages that loop over them."""

from pathlib import Path

from core import folds
from core.folds import Folds, folds_of, outputs_of_folds
from core.script import InputError

import pytest

NAMES = ["test", "test_2", "validation", "label_1", "label_2"]
OUT = Path("data/als")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folds.FILE.parent.mkdir(parents=True)
    folds.save(folds_of(NAMES, 6), folds.FILE)


def test_folds_target_consecutive_windows_backwards() -> None:
    of = folds_of(NAMES, 10)
    assert of.windows == {"test": 9, "test_2": 8, "validation": 7, "label_1": 6, "label_2": 5}
    assert of.judged == ["test", "test_2", "validation"]
    assert of.of_kind("test") == ["test", "test_2"]
    assert of.training(2)["test_2"] == (8, ["validation", "label_1"])
    assert of.training(9)["validation"] == (7, ["label_1", "label_2"])
    folds.save(of, folds.FILE)
    assert folds.load() == of
    assert folds.load().names == NAMES


@pytest.mark.parametrize("n_windows", [5, 3, 1])
def test_too_few_windows(n_windows: int) -> None:
    """The earliest fold has one window of history at least."""
    assert folds_of(NAMES, 6).windows["label_2"] == 1
    with pytest.raises(InputError) as error:
        folds_of(NAMES, n_windows)
    text = "params.yaml: folds has 5 folds, which need 6 windows or more; the data has"
    assert str(error.value) == f"{text} {n_windows}"


def write(arguments: list[str], text: str) -> None:
    """Do what a stage does: write a file for each fold."""
    with outputs_of_folds(OUT, arguments) as (todo, folder):
        for fold in todo:
            (folder / f"{fold}.txt").write_text(text)


def content() -> dict[str, str]:
    """Return every file below the folder of the outputs."""
    return {path.name: path.read_text() for path in OUT.rglob("*") if path.is_file()}


def test_all_folds_replace_the_folder_and_one_fold_its_files() -> None:
    """Files of removed folds and other files in the folder vanish."""
    write(["test_2"], "alone")
    assert content() == {"test_2.txt": "alone"}
    (OUT / "label_9.txt").write_text("gone")
    write(["test"], "one")
    assert content() == {"test_2.txt": "alone", "test.txt": "one", "label_9.txt": "gone"}
    write([], "all")
    assert content() == {f"{fold}.txt": "all" for fold in NAMES}
    folds.save(Folds({"test": 3}), folds.FILE)
    write([], "fewer")
    assert content() == {"test.txt": "fewer"}


@pytest.mark.parametrize("arguments", [[], ["test"]])
def test_a_failed_run_leaves_the_outputs_as_they_were(arguments: list[str]) -> None:
    write([], "old")
    with pytest.raises(TypeError):
        write(arguments, None)
    assert content() == {f"{fold}.txt": "old" for fold in NAMES}
    assert sorted(path.name for path in OUT.parent.iterdir()) == ["als", "split"]
