"""VK-LSVD from a real HTTP server that answers as the Hugging Face hub; without a network."""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from download_runs import EMPTY, STAGES, contents, one_line, write_params

METADATA = {
    "metadata/users_metadata.parquet": b"users",
    "metadata/items_metadata.parquet": b"items",
    "metadata/item_embeddings.npz": b"embeddings",
}


def weeks(folder: str, n_train: int) -> dict[str, bytes]:
    parts = ["train"] * n_train + ["validation", "test"]
    names = [f"{folder}/{part}/week_{week:02}.parquet" for week, part in enumerate(parts)]
    return {name: name.encode() for name in names}


WHOLE = weeks("interactions", 3)
SMALL = weeks("subsamples/ur0.01_ir0.01", 2)
OTHER = {"README.md": b"about", "metadata/other.parquet": b"x"} | weeks("subsamples/up0.1_ip0.1", 1)
COMMIT = "0123456789" * 4
BIG = "subsamples/ur0.01_ir0.01/train/week_01.parquet"


class Hub(http.server.ThreadingHTTPServer):
    """The endpoints of the Hugging Face hub that its library calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {**METADATA, **WHOLE, **SMALL, **OTHER}
        self.requests: list[str] = []
        self.fetched: list[str] = []
        self.status = 200  # anything else answers every request
        self.cut: dict[str, int] = {}  # bytes sent of a file before the hub fails for good


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, self.path.split("?")[0]
        hub.requests.append(path)
        name = path.removeprefix(f"/datasets/deepvk/VK-LSVD/resolve/{COMMIT}/")
        if hub.status == 200 and path == "/api/datasets/deepvk/VK-LSVD":
            siblings = [{"rfilename": name} for name in hub.files]
            info = {"_id": "0", "id": "deepvk/VK-LSVD", "sha": COMMIT, "siblings": siblings}
            self.send(200, json.dumps(info).encode())
        elif hub.status == 200 and name in hub.files:
            is_sent = self.command == "GET"
            hub.fetched += [name] * is_sent
            self.send(200, hub.files[name], hub.cut.pop(name, None) if is_sent else None)
        else:
            self.send(hub.status if hub.status != 200 else 404)

    def send(self, status: int, body: bytes = b"", n_sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:n_sent])
        if n_sent:
            self.server.status = 503


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.chdir(tmp_path)
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


def run_script() -> tuple[int, str]:
    """Exit code and stderr of the stage as DVC runs it; HF_ENDPOINT is read at its import."""
    command = [sys.executable, str(STAGES / "download.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stderr


def test_only_the_files_of_the_subsample_are_fetched_and_once(hub: Hub) -> None:
    assert run_script() == (0, "")
    assert contents("Daten für vk") == METADATA | SMALL
    assert sorted(hub.fetched) == sorted(METADATA | SMALL)
    assert contents("data") == {f"raw/{name}": text for name, text in EMPTY.items()}
    hub.requests.clear()
    assert run_script() == (0, "")
    assert hub.requests == []


def test_a_lost_connection_is_one_line_and_the_next_run_goes_on(hub: Hub) -> None:
    hub.files[BIG] = os.urandom(2_000_000)
    hub.cut[BIG] = 1_000_000
    code, stderr = run_script()
    assert code == 1
    assert "deepvk/VK-LSVD cannot be fetched from http://127.0.0.1" in one_line(stderr)
    assert "503 Service Unavailable" in stderr
    fetched = contents("Daten für vk")
    assert METADATA.keys() <= fetched.keys()
    assert BIG not in fetched

    hub.status = 200
    hub.fetched.clear()
    assert run_script() == (0, "")
    assert set(hub.fetched) == (METADATA | SMALL).keys() - fetched.keys()
    assert contents("Daten für vk") == METADATA | SMALL | {BIG: hub.files[BIG]}


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, "404 Not Found"), (500, "500 Internal")],
)
def test_a_refusing_hub_is_one_line(hub: Hub, status: int, expected: str) -> None:
    hub.status = status
    code, stderr = run_script()
    assert code == 1
    assert expected in one_line(stderr)
    assert len(hub.requests) == 1  # no half a minute of retries
    assert not Path("Daten für vk").exists()
    assert contents("data") == {}


def test_an_unknown_subsample_lists_the_known_ones(hub: Hub) -> None:
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01", download=True)
    code, stderr = run_script()
    assert code == 1
    assert "data.subsample is 'ur0.01': deepvk/VK-LSVD has up0.1_ip0.1, ur0.01_ir0.01" in (
        one_line(stderr)
    )
    assert not Path("Daten für vk").exists()
