"""VK-LSVD from a real HTTP server that answers as the Hugging Face hub; without a network."""

import errno
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from download_runs import EMPTY, STAGES, contents, one_line, start, write_params

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
N_CHUNK = 10 * 1024 * 1024  # what huggingface_hub writes at once


class Hub(http.server.ThreadingHTTPServer):
    """The endpoints of the Hugging Face hub that its library calls; files are on a second host."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {**METADATA, **WHOLE, **SMALL, **OTHER}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.secrets: list[str] = []  # paths that were sent the token
        self.status = 200  # anything else answers every request
        self.cut: dict[str, int] = {}  # bytes sent of a file before the line goes dead
        self.hangs = False  # instead of closing, when cut
        self.is_hub = True
        self.released = threading.Event()

    def fetched(self) -> list[str]:
        return [path.removeprefix("/cdn/") for method, path, _ in self.requests if "/cdn/" in path]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub, path = self.server, self.path.split("?")[0]
        hub.requests.append((self.command, path, self.headers["Range"]))
        if self.headers["Authorization"]:
            hub.secrets.append(path)
        resolved = re.match(rf"/datasets/deepvk/VK-LSVD/resolve/(main|{COMMIT})/(.*)", path)
        if hub.status != 200:
            self.send(hub.status)
        elif path == "/api/datasets/deepvk/VK-LSVD":
            self.send(200, json.dumps(self.info()).encode() if hub.is_hub else b"<html>")
        elif resolved and resolved[2] in hub.files:
            name = resolved[2]
            self.send(302, location=f"http://localhost:{hub.server_port}/cdn/{name}", linked=name)
        elif path.removeprefix("/cdn/") in hub.files:
            self.file(path.removeprefix("/cdn/"))
        else:
            self.send(404)

    def info(self) -> dict:
        names = [{"rfilename": name} for name in self.server.files]
        return {"_id": "0", "id": "deepvk/VK-LSVD", "sha": COMMIT, "siblings": names}

    def file(self, name: str) -> None:
        hub, content = self.server, self.server.files[name]
        begin = int(re.findall(r"\d+", self.headers["Range"] or "0")[0])
        n_sent = hub.cut.pop(name, len(content))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:n_sent])
        if n_sent < len(content):
            if hub.hangs:
                hub.released.wait(20)
            hub.status = 503 if not hub.hangs else 200

    def send(self, status: int, body: bytes = b"", location: str = "", linked: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        if linked:
            content = self.server.files[linked]
            self.send_header("Location", location)
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if re.match(r"HF_|.*_proxy$", name, re.IGNORECASE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01_ir0.01", download=True)
    yield server
    server.released.set()
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
    assert sorted(hub.fetched()) == sorted(METADATA | SMALL)
    assert contents("data") == {f"raw/{name}": text for name, text in EMPTY.items()}
    assert not [path for path in hub.secrets if "/cdn/" in path]  # another host gets no token
    assert hub.secrets
    hub.requests.clear()
    assert run_script() == (0, "")
    assert hub.requests == []


def test_all_files_are_of_one_commit(hub: Hub) -> None:
    """Or a dataset that changes meanwhile would be fetched in halves of two versions."""
    assert run_script() == (0, "")
    asked = [path for _, path, _ in hub.requests if "/resolve/" in path]
    assert len(asked) >= len(METADATA | SMALL)
    assert all(f"/resolve/{COMMIT}/" in path for path in asked)


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
    hub.requests.clear()
    assert run_script() == (0, "")
    assert set(hub.fetched()) == (METADATA | SMALL).keys() - fetched.keys()
    assert contents("Daten für vk") == METADATA | SMALL | {BIG: hub.files[BIG]}


def test_an_interrupt_leaves_nothing_half_fetched(hub: Hub) -> None:
    hub.files[BIG] = os.urandom(N_CHUNK + 2_000_000)
    hub.cut[BIG] = N_CHUNK + 1_000_000
    hub.hangs = True
    process = start(str(STAGES / "download.py"))
    while f"/cdn/{BIG}" not in [path for _, path, _ in hub.requests]:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in one_line(stderr)
    assert contents("Daten für vk").items() < (METADATA | SMALL).items()

    assert run_script() == (0, "")
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


def test_a_full_disk_is_not_blamed_on_the_hub(hub: Hub) -> None:
    code = f"""
import download, huggingface_hub.file_download
from core import script

def http_get(url, file, *_, **__):
    file.write(b"half")
    raise OSError({errno.ENOSPC}, "No space left on device")

huggingface_hub.file_download.http_get = http_get
script.run_script(download.main)
"""
    process = start("-c", code)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Daten für vk: No space left on device" in one_line(stderr)
    assert not any((Path("Daten für vk") / name).exists() for name in METADATA)


def test_an_unreachable_hub_is_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    code, stderr = run_script()
    assert code == 1
    assert "Connection refused" in one_line(stderr)


def test_an_unknown_subsample_lists_the_known_ones(hub: Hub) -> None:
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01", download=True)
    code, stderr = run_script()
    assert code == 1
    assert "data.subsample is 'ur0.01': deepvk/VK-LSVD has up0.1_ip0.1, ur0.01_ir0.01" in (
        one_line(stderr)
    )
    assert not Path("Daten für vk").exists()
