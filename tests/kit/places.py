"""A small HTTP server of a site or a cloud: files to get and put, and Amazon's metadata tokens."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a-token-of-this-machine"


class Places(ThreadingHTTPServer):
    """``files`` are what it has, by path; ``v1`` and ``v2`` which metadata requests it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, str] = {}
        self.put: dict[str, str] = {}
        self.asked: list[str] = []
        self.v1, self.v2, self.away = True, True, False
        self.token = TOKEN
        self.came = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """Whoever asks may be killed in these tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Places

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(f"GET {self.path}")
        token = self.headers.get("X-aws-ec2-metadata-token")
        if self.path.startswith("/latest/"):
            known = token == server.token if token else server.v1
            if not known:
                self._send(401, "")
                return
        text = server.files.get(self.path)
        self._send(404 if text is None else 200, text or "")

    def do_PUT(self) -> None:
        server = self.server
        server.asked.append(f"PUT {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/latest/api/token":
            wants = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
            fine = server.v2 and wants.isdigit()
            self._send(200 if fine else 403, server.token if fine else "")
            return
        server.put[self.path] = body
        self._send(201, "")
        server.came.set()

    def _send(self, status: int, text: str) -> None:
        if self.server.away:
            status = 503
        raw = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
