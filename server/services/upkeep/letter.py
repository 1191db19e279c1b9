"""Alerts by e-mail: one letter to all who are to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from server.domain.alert import Level
from server.domain.errors import NoMail
from server.domain.telling import Line, Word
from server.services.postman import Letter, Postman
from server.services.upkeep.channel import Message, NotTold

_WORDS = {Word.RAISED: "new", Word.STILL: "still", Word.OVER: "over"}
_GRAVE = {Level.BAD: "mend now", Level.WARN: "look", Level.NOTE: "note"}


@dataclass(frozen=True)
class ByMail:
    """Letters to these addresses."""

    postman: Postman
    to: tuple[str, ...]
    name: str = "mail"

    async def send(self, message: Message) -> None:
        """One letter to each. Raises NotTold if nobody could be sent one."""
        title, text = subject(message), "\n".join(body(message))
        failed: NoMail | None = None
        sent = 0
        for address in self.to:
            try:
                await self.postman.send(Letter(address, title, text))
                sent += 1
            except NoMail as error:
                failed = error
        if not sent:
            raise NotTold(f"the mail server took nothing ({self.postman.why})") from failed


def subject(message: Message) -> str:
    """What it is about, in one line."""
    first = message.lines[0]
    more = f" and {len(message.lines) - 1} more" if len(message.lines) > 1 else ""
    return f"[Windfall] {_WORDS[first.word]}: {first.alert.sign.cause[:120]}{more}"


def body(message: Message) -> Iterator[str]:
    """The text."""
    for line in message.lines:
        yield from _told(line)
    yield f"All of it: {message.url}"
    yield "Acknowledge an alert there, or mute it, and no more is sent of it."


def _told(line: Line) -> Iterator[str]:
    alert = line.alert
    since = datetime.fromtimestamp(alert.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"{_WORDS[line.word].upper()} ({_GRAVE[alert.sign.level]}): {alert.sign.cause}"
    yield f"  since {since}" + (f", the {alert.count}th time" if alert.count > 1 else "")
    if alert.sign.cure and line.word is not Word.OVER:
        yield f"  {alert.sign.cure}"
    yield ""
