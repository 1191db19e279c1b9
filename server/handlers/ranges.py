"""Large answers in pieces, whole or the part that was asked for (RFC 9110, section 14)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from aiohttp import hdrs, web

from server.domain.errors import Refusal
from server.handlers import digests
from vmagent.wire.messages import PROTOCOL

Stream = Callable[[int, int], AsyncIterator[bytes]]


class OutOfRange(Refusal):
    """The range asked for lies outside of what there is; ask without Range to learn the size."""

    code = "out-of-range"


async def send(
    request: web.Request, stream: Stream, size: int, digest: str, media: str, name: str = ""
) -> web.StreamResponse:
    """Send ``size`` bytes whose SHA-256 (hexadecimal) is ``digest``, or one range of them."""
    etag = f'"{digest}"'
    start, count, status = _asked(request, size, etag)
    pieces = stream(start, count)
    # Trouble shows with the first piece, and can be told only before the head is sent.
    head = b"" if request.method == hdrs.METH_HEAD else await anext(pieces, b"")
    response = web.StreamResponse(status=status)
    response.content_type = media
    response.content_length = count
    response.headers["Windfall-Protocol"] = str(PROTOCOL)
    response.headers[hdrs.ETAG] = etag
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    response.headers["Repr-Digest"] = digests.make(bytes.fromhex(digest))
    if status == 206:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{start + count - 1}/{size}"
    else:
        response.headers[digests.HEADER] = digests.make(bytes.fromhex(digest))
    if name:
        response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        await response.write(head)
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
    return response


def _asked(request: web.Request, size: int, etag: str) -> tuple[int, int, int]:
    """Where to start, how many bytes, and the status."""
    condition = request.headers.get(hdrs.IF_RANGE)
    if hdrs.RANGE not in request.headers or (condition is not None and condition != etag):
        return 0, size, 200
    try:
        found = request.http_range
    except ValueError:
        return 0, size, 200
    start, stop, _ = slice(found.start, found.stop).indices(size)
    if start >= stop:
        raise OutOfRange
    return start, stop - start, 206
