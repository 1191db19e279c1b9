"""Logging to stderr: one line each, `key=value`, nothing secret."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any

_PLAIN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime"}
_SECRET = re.compile(r"\b(?:wf1\.[A-Za-z0-9_-]{43}|wf[ha]_[A-Za-z0-9_-]{43})")


class Line(logging.Formatter):
    """A record as one line: time (UTC), level, what happened, its facts."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        words = [f"{stamp}.{int(record.msecs):03d}Z", record.levelname.lower(), record.getMessage()]
        for name, value in record.__dict__.items():
            if name not in _PLAIN and value not in ("", None):
                words.append(f"{name}={_value(value)}")
        if record.exc_info:
            words.append(f"trace={_value(self.formatException(record.exc_info))}")
        line = " ".join(words).replace("\n", " ").replace("\r", " ")
        return _SECRET.sub("<secret>", line)


def _value(value: Any) -> str:
    text = str(value)
    return text if re.match(r"^[\w.:/+@-]+$", text) else json.dumps(text)


def start(level: str) -> None:
    """Log from this level on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    root = logging.getLogger("vmagent")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
