"""A blob back-end by its URL."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from server.blobs.base import Blobs
from server.blobs.local import LocalBlobs
from server.blobs.memory import MemoryBlobs
from server.blobs.retrying import RetryingBlobs

GROUP = "windfall.blobs"
"""Entry points of this group are named by a scheme and load a function from URL to `Blobs`."""


class BadBlobsUrl(ValueError):
    """This URL names no place for blobs."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url!r} names no place for blobs: {why}")
        self.url = url


def open_blobs(url: str) -> Blobs:
    """The back-end of a URL; `BadBlobsUrl`, or `BackendAbsent` if its library is not installed.

    ``memory:``, a path or ``file:///path``, ``s3://bucket/prefix?endpoint=https://...&region=...``,
    ``root://host:port//path``, and whatever schemes other packages bring by entry points.
    Back-ends over a network come with retries.
    """
    if ":" not in url:
        if not url:
            raise BadBlobsUrl(url, "it is empty; give a folder")
        return LocalBlobs(url)
    parts = urlsplit(url)
    known = _SCHEMES.get(parts.scheme)
    if known is not None:
        return known(url, parts)
    for found in entry_points(group=GROUP, name=parts.scheme):
        opener: Callable[[str], Blobs] = found.load()
        return opener(url)
    raise BadBlobsUrl(
        url,
        f"known are {', '.join(sorted(_SCHEMES))}; another scheme needs a package with "
        f"an entry point {parts.scheme!r} in the group {GROUP}",
    )


def _memory(url: str, parts: SplitResult) -> Blobs:
    if parts.netloc or parts.path:
        raise BadBlobsUrl(url, "memory has no name; write memory:")
    return MemoryBlobs()


def _file(url: str, parts: SplitResult) -> Blobs:
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise BadBlobsUrl(url, "write file:///and/the/path")
    return LocalBlobs(unquote(parts.path))


def _s3(url: str, parts: SplitResult) -> Blobs:
    from server.blobs.s3 import S3Blobs

    options = parse_qs(parts.query, keep_blank_values=True)
    if strange := sorted(set(options) - {"endpoint", "region"}):
        raise BadBlobsUrl(url, f"of options it knows endpoint and region, not {', '.join(strange)}")
    if not parts.netloc or "@" in parts.netloc:
        raise BadBlobsUrl(url, "write s3://bucket/prefix, and credentials where boto3 looks")
    endpoint, region = (options.get(name, [None])[0] for name in ("endpoint", "region"))
    return RetryingBlobs(S3Blobs(parts.netloc, parts.path, endpoint, region))


def _root(url: str, parts: SplitResult) -> Blobs:
    from server.blobs.xrootd import XRootDBlobs

    if not parts.netloc or not parts.path.startswith("//"):
        raise BadBlobsUrl(url, "write root://host:port//path, with two slashes before the path")
    return RetryingBlobs(XRootDBlobs(f"{parts.scheme}://{parts.netloc}", parts.path))


_SCHEMES: dict[str, Callable[[str, SplitResult], Blobs]] = {
    "memory": _memory,
    "file": _file,
    "s3": _s3,
    "root": _root,
    "roots": _root,
}
