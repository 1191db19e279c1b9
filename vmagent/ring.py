"""The log of a payload, bounded: its beginning, its end, and how much is left out between."""

from __future__ import annotations


class Ring:
    """Keeps the first quarter and the last three quarters of ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._head_most, self._tail_most = most // 4, most - most // 4
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._head, self._tail, self.total = bytearray(), bytearray(), 0

    def add(self, raw: bytes) -> None:
        """Take in more log."""
        self.total += len(raw)
        room = self._head_most - len(self._head)
        if room > 0:
            self._head += raw[:room]
            raw = raw[room:]
        self._tail += raw
        if len(self._tail) > 2 * self._tail_most:
            del self._tail[: -self._tail_most]

    def text(self, most: int) -> str:
        """At most ``most`` bytes of it: the beginning and the end, more of the end."""
        tail = bytes(self._tail[-self._tail_most :])
        left_out = self.total - len(self._head) - len(tail)
        whole = bytes(self._head) + tail
        if left_out == 0 and len(whole) <= most:
            return whole.decode("utf-8", "replace")
        room = most - 80
        head = bytes(self._head[: room // 4])
        end = whole[len(head) :][-(room - len(head)) :]
        gap = self.total - len(head) - len(end)
        note = f"\n[... {gap} bytes left out ...]\n".encode()
        return (head + note + end).decode("utf-8", "replace")
