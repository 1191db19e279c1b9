"""A lease may grant more memory than the manifest says, as far as a person signed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server.domain.line import Line
from tests.kit import payload_scripts
from vmagent.gap import leased
from vmagent.wire import messages

NOBODY: Any = None


@pytest.mark.parametrize(
    ("signed", "most", "asked", "granted"),
    [
        (100, 0, 0, 100),
        (100, 0, 5000, 100),
        (100, 300, 0, 100),
        (100, 300, 200, 200),
        (100, 300, 5000, 300),
        (100, 300, 50, 100),
        (100, 50, 80, 100),
        (100, 300, -5, 100),
    ],
)
def test_a_lease_grants_memory_within_what_was_signed_and_no_more(
    signed: int, most: int, asked: int, granted: int
) -> None:
    manifest = payload_scripts.manifest(limits={"memory_mb": signed, "memory_mb_most": most})
    lease = messages.Lease(1, 1, "d" * 64, 1, 0, 10, 0.0, 1.0, memory_mb=asked)
    job = leased(lease, manifest, Path(), NOBODY)
    assert job.manifest.limits.memory_mb == granted
    # A payload that stands ready with other limits is not taken for this one.
    assert (job.digest == lease.manifest) == (granted == signed)


class Range:
    """A range that waits."""

    def __init__(self, id: int, unit: int) -> None:
        self.id, self.unit, self.first, self.last = id, unit, 100 * unit, 100 * unit + 100


def whole(first: int, last: int, most: int) -> int:
    return last


def test_what_one_host_is_too_small_for_waits_for_another_of_its_account() -> None:
    line = Line(lambda: 99)
    line.add([Range(1, 0), Range(2, 1)])
    line.need(0, 4000)
    small = line.take(7, "", 100, whole, 2000)
    assert small is not None
    assert small.waiting.unit == 1
    assert line.take(7, "", 100, whole, 2000) is None
    large = line.take(7, "", 100, whole, 4000)
    assert large is not None
    assert large.waiting.unit == 0


def test_a_unit_whose_need_grows_is_kept_from_who_might_have_had_it() -> None:
    line = Line(lambda: 99)
    line.add([Range(1, 0)], back=True)
    line.need(0, 4000)
    line.need(0, 8000)
    assert line.take(7, "", 100, whole, 4000) is None
    assert line.take(7, "", 100, whole, 8000) is not None
