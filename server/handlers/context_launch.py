"""Files of a context with a new enrolment token in them: a request, and a form of its page."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import web

from contexts.render.result import File
from server.domain.errors import BadInput
from server.handlers import showing
from server.handlers.context_views import RenderRequest
from server.handlers.door import Form
from server.handlers.routes import BYTES
from server.services.enrolments import DAY_S, Invitation
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class LaunchToken:
    """A new token: for how many machines, how many seconds, where, from which networks."""

    uses: int = field(default=1, metadata=bound(least=1, most=10**6))
    expires_s: float = field(default=86_400.0, metadata=bound(least=60, most=31_622_400))
    site: str = field(default="", metadata=bound(most=64))
    networks: str = field(default="", metadata=bound(most=2000))
    note: str = field(default="", metadata=bound(most=200))


@dataclass(frozen=True)
class LaunchRequest(RenderRequest):
    """Which files are wanted; with ``enrol`` a token is made that stands in them in clear."""

    enrol: LaunchToken | None = None


def wanted(token: LaunchToken) -> Invitation:
    """What a request asks for."""
    return Invitation(token.uses, token.expires_s, token.note, token.site, networks=token.networks)


def invitation(form: Form) -> Invitation:
    """What a form asks for. Raises BadInput."""
    told = [form.get(name, "").strip() for name in ("uses", "days")]
    if not all(text.isascii() and text.isdigit() and len(text) < 8 for text in told):
        raise BadInput([f"machines, days {told[0][:20]!r}, {told[1][:20]!r}: whole numbers"])
    return Invitation(int(told[0]), int(told[1]) * DAY_S, site=form.get("site", ""))


def packed(files: Sequence[File]) -> bytes:
    """Files as one archive (ZIP), with their modes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name)
            entry.external_attr = (0o100000 | file.mode) << 16
            archive.writestr(entry, file.body)
    return out.getvalue()


def sent(name: str, body: bytes) -> web.Response:
    """A file to be saved, never shown as a page."""
    headers = {
        **showing.HEADERS,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "Cache-Control": "no-store",
    }
    return web.Response(body=body, content_type=BYTES, headers=headers)
