"""Refusals as problem details: each code has its status, and nothing inside leaks out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from server.domain import errors
from server.domain.errors import DiskFull, NotFound, Refusal, TokenRevoked
from server.handlers import shape
from server.handlers.routes import Reply
from vmagent.wire import codec
from vmagent.wire.messages import KeyList, Problem


def body(response: web.StreamResponse) -> Any:
    """The JSON of a response."""
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_what_is_not_there_is_a_404_whatever_it_is() -> None:
    response = shape.refused(NotFound("production", 7))
    assert (response.status, body(response)["code"]) == (404, "production-unknown")


def test_a_problem_is_what_the_agent_decodes() -> None:
    response = shape.refused(TokenRevoked())
    assert isinstance(response.body, bytes)
    found = codec.decode(response.body, Problem)
    assert (found.status, found.title, found.code) == (401, "Unauthorized", "token-revoked")
    assert found.detail == str(TokenRevoked())
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Windfall-Protocol"] == "1"


def test_a_wait_is_said_in_whole_seconds_and_never_zero() -> None:
    assert shape.refused(DiskFull(2.2)).headers["Retry-After"] == "3"
    assert shape.refused(DiskFull(0.01)).headers["Retry-After"] == "1"


@pytest.mark.parametrize("code", ["too-many", "unavailable", "too-many-listeners", "disk-full"])
def test_busy_answers_always_say_when_to_come_back(code: str) -> None:
    refusal = Refusal("no")
    refusal.code = code
    assert int(shape.refused(refusal).headers["Retry-After"]) >= 1


def test_all_faults_are_listed() -> None:
    assert body(shape.refused(errors.BadInput(["line 1: a", "line 2: b"])))["faults"] == [
        "line 1: a",
        "line 2: b",
    ]


def test_a_failure_names_its_line_in_the_log_and_says_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise RuntimeError("the password is apple")
    except RuntimeError as error:
        response = shape.refused(shape.noted("GET /secret", error))
    found = body(response)
    name = found["instance"].rpartition(":")[2]
    assert response.status == 500
    assert "apple" not in json.dumps(found)
    assert name in found["detail"]
    (record,) = caplog.records
    assert record.__dict__["request"] == name
    assert record.exc_info is not None
    assert "apple" in caplog.text


def test_values_nothing_and_replies_become_answers() -> None:
    plain = shape.answer(KeyList(["a"]), 200)
    assert (plain.status, body(plain)) == (200, {"keys": ["a"]})
    nothing = shape.answer(None, 200)
    assert (nothing.status, "Content-Type" in nothing.headers) == (204, False)
    made = shape.answer(Reply(KeyList([]), 201, {"Location": "/x"}), 200)
    assert (made.status, made.headers["Location"]) == (201, "/x")
    own = shape.answer(web.Response(text="x"), 200)
    assert own.headers["Windfall-Protocol"] == "1"
    assert "Location" not in plain.headers


def test_errors_of_the_web_framework_speak_the_same_way() -> None:
    response = shape.foreign(web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": "*/9"}))
    assert (response.status, body(response)["code"]) == (416, "out-of-range")
    assert response.headers["Content-Range"] == "*/9"
    with pytest.raises(web.HTTPFound):
        shape.foreign(web.HTTPFound("/elsewhere"))
