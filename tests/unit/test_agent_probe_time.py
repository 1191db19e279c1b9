"""What a probe measures: the time of events, not of a payload's set-up."""

from __future__ import annotations

import pytest

from vmagent import probe
from vmagent.wire.statements import Manifest


def test_the_set_up_of_a_payload_is_not_counted_as_time_of_its_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    manifest = Manifest("toy", "0" * 64, ["x"], events=1000, seed=1, reference=4)
    reference = probe.Reference(manifest)
    now = 160.0  # a minute of set-up
    reference.begin()
    now = 162.0
    reference.add(0, 4, (b"a", b"b", b"c", b"d"))
    found = reference.found(wall_s=62.0)
    assert found.seconds_per_event == pytest.approx(0.5)
    assert found.bytes_per_event == 1.0
