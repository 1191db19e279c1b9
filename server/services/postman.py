"""Mail to people: plain text, by the site's own mail server, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from server.domain.errors import NoMail

log = logging.getLogger("windfall.mail")
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Route:
    """The mail server: ``security`` is none, starttls or tls; a password goes to the last two."""

    host: str = ""
    port: int = 25
    security: str = "none"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""


@dataclass(frozen=True)
class Letter:
    """A mail."""

    to: str
    subject: str
    text: str


@dataclass(eq=False)
class Postman:
    """Sends letters; without a host there is no mail here.

    ``failures`` are the letters in a row that were not taken, ``why`` the kind of the last failure.
    """

    route: Route = Route()
    failures: int = 0
    why: str = ""
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def works(self) -> bool:
        """Whether there is a mail server."""
        return bool(self.route.host)

    async def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server. Raises NoMail."""
        if not self.works:
            raise NoMail(3600.0)
        try:
            await asyncio.to_thread(self._hand_over, letter)
        except (OSError, smtplib.SMTPException) as error:
            # Neither the address nor the text: both are of people, and the link in it is a secret.
            self.failures, self.why = self.failures + 1, type(error).__name__
            log.error("mail not sent", extra={"action": "mail", "why": self.why})
            raise NoMail(60.0) from error
        self.failures, self.why = 0, ""

    def later(self, letter: Letter) -> None:
        """Send a letter while its answer goes out already: nobody sees how long that takes."""
        task = asyncio.create_task(self._quietly(letter))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def settle(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way)

    async def _quietly(self, letter: Letter) -> None:
        try:
            await self.send(letter)
        except NoMail:
            return  # it is in the log

    def _hand_over(self, letter: Letter) -> None:
        route = self.route
        message = EmailMessage()
        message["From"] = route.sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=route.sender.rpartition("@")[2].strip("> "))
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody is away on holiday to us
        message.set_content(letter.text)
        context = ssl.create_default_context()
        if route.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                route.host, route.port, timeout=PATIENCE_S, context=context
            )
        else:
            server = smtplib.SMTP(route.host, route.port, timeout=PATIENCE_S)
        with server:
            if route.security == "starttls":
                server.starttls(context=context)
            if route.user:
                server.login(route.user, route.password)
            server.send_message(message)
