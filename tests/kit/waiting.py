"""Waiting for what nobody announces."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 90.0  # for a machine that is slow and does many things at once


def until(true: Callable[[], object], said: Callable[[], object] = str) -> None:
    """Ask again until something holds; AssertionError with what ``said`` tells if it never does."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, said()
        time.sleep(0.02)
