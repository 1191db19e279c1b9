"""The command line's faults: two lines that name the word, what may be meant, and where to look."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """As argparse, without all options before a fault; exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end."""
        self.exit(2, f"{self.prog}: {message}\nWhat there is: {self.prog} --help\n")

    def unknown(self, words: Iterable[str]) -> NoReturn:
        """Say of words that no option takes them, and what may be meant by them."""
        told = []
        known = re.findall(r"--[a-z][a-z-]*", self.format_help())
        for word in words:
            near = difflib.get_close_matches(word.partition("=")[0], known, 1)
            told.append(f"{word} (did you mean {near[0]}?)" if near else word)
        self.error(f"there is no {', '.join(told)}")
