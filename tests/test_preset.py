"""preset.py: a preset is valid, changes only what it names, and keeps every comment."""

import shutil
from pathlib import Path

from core import params
from core.params import leaves
from core.script import InputError

import pytest
from ruamel.yaml import YAML

import preset
from test_params import MODELS, SHIPPED, read

PRESETS = YAML(typ="safe").load(preset.PRESETS)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SHIPPED, params.FILE)


def values() -> dict[str, object]:
    return leaves(YAML(typ="safe").load(params.FILE))


def text_without_values() -> list[str]:
    lines = params.FILE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line or line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", PRESETS)
def test_it_sets_what_it_names_and_keeps_the_rest(name: str) -> None:
    before, text = values(), text_without_values()
    preset.main([name])
    expected = {
        key: value
        for key, value in before.items()
        if not any(f"{key}.".startswith(f"{own}.") for own in PRESETS[name])
    }
    own = {key: value for key, value in PRESETS[name].items() if value is not None}
    assert values() == expected | leaves(own)
    assert text_without_values() == text
    assert not any(key.startswith("data.") for key in own)
    for section in (*MODELS, "seed"):  # what the stages read, and refuse
        read(section)


def test_names_are_listed_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture) -> None:
    preset.main([])
    assert "short-video" in capsys.readouterr().out
    with pytest.raises(InputError, match="films: no such preset; must be one of short-video"):
        preset.main(["films"])
    assert params.FILE.read_bytes() == SHIPPED.read_bytes()
