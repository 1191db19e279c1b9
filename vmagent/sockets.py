"""Connections that can be cut from outside.

After a sleep, or with a new address, they are dead and say nothing.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

# A peer that is gone is noticed after half a minute, by questions in the silence of a long poll
# and by bytes that nobody acknowledges.
OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
]


class OpenOnes:
    """The connections of one link that are open by now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def pools(self) -> dict[str, type[urllib3.HTTPConnectionPool]]:
        """Classes of pools whose connections are kept here."""
        keep = self._keep

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                keep(self)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                keep(self)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}

    def _keep(self, connection: Any) -> None:
        with self._lock:
            self._known.add(connection)

    def cut(self) -> None:
        """End all of them below whatever reads or writes on them."""
        with self._lock:
            found = list(self._known)
        for one in found:
            line = one.sock
            if line is not None:
                with contextlib.suppress(OSError):
                    # Not the TLS socket's own: another thread is in the middle of it.
                    socket.socket.shutdown(line, socket.SHUT_RDWR)
