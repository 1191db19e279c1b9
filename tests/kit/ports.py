"""Ports for servers that have to be told theirs."""

from __future__ import annotations

import itertools
import os
import socket

FIRST, EACH = 20_000, 12
_COUNT = itertools.count()


def free_port() -> int:
    """A port of the loopback address that nobody has.

    Not one of those that the kernel gives to whoever asks for any (from 32,768 on): it might be
    given away before it is used. Tests that run at once in other processes begin elsewhere.
    """
    while True:
        port = FIRST + (os.getpid() * EACH + next(_COUNT)) % (32_768 - FIRST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
