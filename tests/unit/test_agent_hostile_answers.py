"""Answers that would unpack to gigabytes, come from a proxy, or end a thread of the agent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vmagent import errors, link, sender, stimuli
from vmagent.pace import Pace
from vmagent.sender import Sender
from vmagent.spool import Spool
from vmagent.wire import frames, messages


class _Packed(BaseHTTPRequestHandler):
    """Answers with a megabyte of blanks, packed, to whatever is asked."""

    def do_GET(self) -> None:
        """The answer."""
        body = gzip.compress(b" " * 2**20)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def packed() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Packed)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_packed_answer_is_not_unpacked(packed: str) -> None:
    line = link.Link(packed)
    with pytest.raises(errors.AnswerUnreadable, match="compressed"):
        line.request("GET", "/keys")
    line.close()


class Told:
    """A server that answers to a frame one thing after the other, and what its sender heard."""

    def __init__(self, folder: Path, *answers: Exception) -> None:
        self.answers = list(answers)
        self.spool = Spool(folder / "frames")
        self.spool.append(0, 1, frames.encode(0, 1, [b"x"]))
        self.heard: list[stimuli.Stimulus] = []
        self.done = threading.Event()
        self.sender = Sender(self, Pace(1000, 0.1, 100.0), self.tell)  # type: ignore[arg-type]

    def frame(self, *_: Any) -> messages.FrameReply:
        if self.answers:
            raise self.answers.pop(0)
        return messages.FrameReply(messages.TaskState(1, "leased", 0, 1, [(0, 1)], 1.0))

    def tell(self, event: stimuli.Stimulus) -> None:
        self.heard.append(event)
        self.done.set()

    def run(self) -> stimuli.Stimulus:
        self.sender.add(1, 1, self.spool)
        self.sender.start()
        assert self.done.wait(90)
        self.sender.stop()
        self.sender.join(10)
        return self.heard[0]


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413])
def test_a_frame_outlives_the_refusal_of_a_proxy(tmp_path: Path, status: int) -> None:
    told = Told(tmp_path, errors.RequestRefused(status, link.UNKNOWN, "<html>nginx"))
    assert isinstance(told.run(), stimuli.FrameTaken)


def test_a_frame_that_the_server_itself_refuses_is_let_go(tmp_path: Path) -> None:
    told = Told(tmp_path, errors.RequestRefused(410, "production-over", "it is over"))
    assert isinstance(told.run(), stimuli.FrameRefused)


def test_the_sender_goes_on_after_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FAULT_S", 0.01)
    told = Told(tmp_path, OverflowError("a date beyond all time"))
    assert isinstance(told.run(), stimuli.FrameTaken)
