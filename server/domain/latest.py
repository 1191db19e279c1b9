"""A mapping of bounded size, for what strangers can make more of."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Latest(OrderedDict[K, V]):
    """At most so many keys: with one more, the one that was set longest ago is forgotten."""

    def __init__(self, most: int) -> None:
        """Nothing yet."""
        super().__init__()
        self.most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self.most:
            self.popitem(last=False)
