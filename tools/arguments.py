"""What the tools take on their command lines: numbers within bounds, folders, files."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A command line whose faults are told in two lines, without all that there is; exit code 2."""

    def error(self, message: str) -> NoReturn:
        """The fault, and where the cure stands."""
        self.exit(2, f"{self.prog}: {message}\nWhat there is: {self.prog} --help\n")


def whole(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on; give one")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("0 is too few; give a whole number from 1 on")
    return number


def amount(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; give one above 0") from None
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below 10^9; give what is")
    return number


def folder_to_fill(text: str) -> Path:
    """A folder to write in; made if it is not there."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{text} cannot be a folder ({error.strerror}); name another"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written in; name another folder")
    return path


def file_to_write(text: str) -> Path:
    """A file to write, in a folder that is there."""
    path = Path(text)
    if not os.access(path.parent, os.W_OK | os.X_OK) or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} cannot be written; name a file in a folder")
    return path


def file_to_read(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file; name one that is there")
    return Path(text)
