"""What the hot paths send without making it anew has the fields that the wire says."""

from __future__ import annotations

import dataclasses

import msgspec

from server.handlers.schema import encode, maker
from server.handlers.sealing import _b64
from server.services.taskview import TaskView
from vmagent.wire import codec, jws
from vmagent.wire import messages as m


def test_a_view_of_a_task_is_a_task_of_the_wire() -> None:
    wire = [field.name for field in dataclasses.fields(m.TaskState)]
    assert [field.name for field in msgspec.structs.fields(TaskView)] == wire
    view = TaskView(7, "leased", 10, 20, [(10, 12), (15, 16)], 99.5)
    decoded = codec.decode(encode(view), m.TaskState)
    assert decoded == m.TaskState(7, "leased", 10, 20, [(10, 12), (15, 16)], 99.5)


def test_what_a_maker_makes_is_encoded_like_the_message_itself() -> None:
    lease = (7, 1, "ab" * 32, 3, 10, 20, 1.5, 2.5, "the-ask")
    assert encode(maker(m.Lease)(*lease)) == codec.encode(m.Lease(*lease))
    assert encode(maker(m.AskReply)(time=1.0)) == codec.encode(m.AskReply(time=1.0))


def test_bytes_are_spelled_as_the_agent_reads_them() -> None:
    for size in range(70):
        raw = bytes((size * 7 + k * 37) % 256 for k in range(size))
        assert _b64(raw) == jws.b64(raw)
        assert jws.unb64(_b64(raw)) == raw
