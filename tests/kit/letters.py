"""A mail server as a process of its own on loopback, and the letters that it was handed."""

from __future__ import annotations

import asyncio
import mailbox
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from tests.kit.ports import free_port

LINK = re.compile(r"https?://\S+/link/\S+")


@dataclass(eq=False)
class Mailbox:
    """Where letters end up."""

    folder: Path
    port: int

    @property
    def letters(self) -> list[Message]:
        """All letters so far, in no order."""
        return list(mailbox.Maildir(self.folder, create=False)) if self.folder.exists() else []

    def to(self, address: str, subject: str = "") -> list[str]:
        """The texts of those to an address, about something."""
        return [
            letter.get_payload(decode=True).decode()  # type: ignore[union-attr]
            for letter in self.letters
            if letter["To"] == address and subject in letter["Subject"]
        ]

    async def link(self, address: str, subject: str) -> str:
        """The link in the one letter to an address about something, once it is there."""
        async with asyncio.timeout(60):
            while not (texts := self.to(address, subject)):  # noqa: ASYNC110  # others bring it
                await asyncio.sleep(0.02)
        (text,) = texts
        found = LINK.search(text)
        assert found is not None, text
        return found[0]


@asynccontextmanager
async def mail_server(folder: Path) -> AsyncIterator[Mailbox]:
    """An aiosmtpd that keeps letters in a Maildir."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}",
        "-c", "aiosmtpd.handlers.Mailbox", str(folder / "letters"),
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        yield Mailbox(folder / "letters", port)
    finally:
        process.terminate()
        await process.wait()
