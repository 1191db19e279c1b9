"""A URL opens its back-end; one that names none says what would."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from server.blobs import choose
from server.blobs.base import BackendAbsent, Blobs
from server.blobs.choose import BadBlobsUrl, open_blobs
from server.blobs.local import LocalBlobs
from server.blobs.memory import MemoryBlobs


def test_memory_and_folders_open() -> None:
    assert isinstance(open_blobs("memory:"), MemoryBlobs)
    for url in ("/srv/blobs", "file:///srv/blobs", "file://localhost/srv/blobs"):
        opened = open_blobs(url)
        assert isinstance(opened, LocalBlobs)
        assert opened.folder == Path("/srv/blobs")
    spaced = open_blobs("file:///srv/my%20blobs")
    assert isinstance(spaced, LocalBlobs)
    assert spaced.folder == Path("/srv/my blobs")
    beside = open_blobs("data/blobs")
    assert isinstance(beside, LocalBlobs)
    assert beside.folder == Path.cwd() / "data/blobs"


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("", "give a folder"),
        ("memory://name", "write memory:"),
        ("file://otherhost/path", "write file:///and"),
        ("file:relative", "write file:///and"),
        ("s3:///prefix", "write s3://bucket/prefix"),
        ("s3://key:secret@bucket/prefix", "credentials where boto3 looks"),
        ("s3://bucket?endpont=x", "not endpont"),
        ("root://host/path", "two slashes"),
        ("root:////path", "two slashes"),
        ("ftp://host/path", "entry point 'ftp' in the group windfall.blobs"),
    ],
)
def test_a_url_that_names_no_place_says_what_would(url: str, cure: str) -> None:
    with pytest.raises(BadBlobsUrl, match=cure):
        open_blobs(url)


_OPENED: list[str] = []


def open_foreign(url: str) -> Blobs:
    """What a package of somebody else would bring."""
    _OPENED.append(url)
    return MemoryBlobs()


def test_a_foreign_scheme_opens_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(group: str, name: str) -> list[EntryPoint]:
        assert (group, name) == ("windfall.blobs", "davs")
        return [EntryPoint(name, f"{__name__}:open_foreign", group)]

    monkeypatch.setattr(choose, "entry_points", installed)
    assert isinstance(open_blobs("davs://host/path"), MemoryBlobs)
    assert _OPENED == ["davs://host/path"]


@pytest.mark.parametrize(
    ("url", "module", "cure"),
    [
        ("s3://bucket", "boto3", "pip install boto3"),
        ("root://host//path", "XRootD", "pip install xrootd"),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, cure: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendAbsent, match=cure):
        open_blobs(url)
