"""Reference events of a manifest made on this machine, without any server."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from vmagent import bundles, errors, probe, sandbox
from vmagent.process import Most, lay_out_helpers
from vmagent.runner import Runner
from vmagent.settings import Settings
from vmagent.wire import codec, jws, statements


def read_manifest(path: str) -> statements.Manifest:
    """A manifest from a file, as JSON or signed (whose signature is not looked at: it is ours)."""
    try:
        text = Path(path).read_text("utf-8").strip()
        value = json.loads(text) if text.startswith("{") else jws.peek(text)[1]
        return codec.build(value, statements.Manifest, "manifest")
    except (OSError, ValueError) as error:
        raise errors.CannotWork(f"manifest {path}: {error}") from error


def _set(name: str) -> str:
    return os.environ.get(f"WINDFALL_{name.upper()}") or str(getattr(Settings, name))


def probe_here(manifest_path: str, bundle_path: str) -> probe.Class:
    """The class of this machine for a manifest; `PayloadFailed` with the payload's log."""
    manifest = read_manifest(manifest_path)
    archive = Path(bundle_path)
    try:
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
    except OSError as error:
        raise errors.CannotWork(f"payload {bundle_path}: {error}") from error
    if manifest.payload and manifest.payload != found:
        raise errors.CannotWork(
            f"payload {bundle_path} is {found[:12]}, the manifest names {manifest.payload[:12]}"
        )
    work = Path(tempfile.mkdtemp(prefix="windfall-probe-"))
    try:
        bundles.unpack(archive, work / "bundle")
        box, found = sandbox.find(_set("sandbox"), work, _set("sandbox_paths"))
        if box is None and _set("sandbox") == "require":
            raise errors.CannotWork(f"a sandbox is required, and there is none: {found}")
        runner = Runner(work / "slot", lay_out_helpers(work), Most(sandbox=box))
        job, reference = probe.job("probe", manifest, work / "bundle")
        try:
            return probe.judge(runner.run(job), reference)
        finally:
            runner.close()
    finally:
        shutil.rmtree(work, ignore_errors=True)
