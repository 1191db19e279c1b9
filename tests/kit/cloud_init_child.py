"""Debian's own cloud-init, asked what it makes of user data; run by the Python it belongs to.

Reads a line of JSON (a text) at a time; answers with a line: the merged cloud-config, the faults
that its schema finds, the types of parts it passed over, and whether they were warned of.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from cloudinit import handlers, helpers, safeyaml, user_data
from cloudinit.config import schema
from cloudinit.handlers.boot_hook import BootHookPartHandler
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.handlers.shell_script import ShellScriptPartHandler
from cloudinit.settings import PER_ALWAYS


class Instance:
    """A machine as far as its folder needs to know it."""

    def get_instance_id(self) -> str:
        """Its name."""
        return "i-test"


class Passed(logging.Handler):
    """Keeps the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.told.append(record.getMessage())


def merged(text: str, folder: Path) -> dict[str, Any]:
    """What its user-data processor and handlers make of a text."""
    paths = helpers.Paths({"cloud_dir": str(folder), "run_dir": str(folder)}, ds=Instance())
    warnings = Passed()
    logging.getLogger("cloudinit").addHandler(warnings)
    message = user_data.UserDataProcessor(paths).process(text.encode())
    known = helpers.ContentHandlers()
    handler = CloudConfigPartHandler(paths)
    for one in (handler, ShellScriptPartHandler(paths), BootHookPartHandler(paths, None)):
        known.register(one)
    for one in known.initialized or {id(mod): mod for _, mod in known.items()}.values():
        handlers.call_begin(one, None, PER_ALWAYS)
    told = {
        "handlers": known,
        "handlerdir": str(folder),
        "data": None,
        "frequency": PER_ALWAYS,
        "handlercount": 0,
        "excluded": [],
    }
    handlers.walk(message, handlers.walker_callback, data=told)
    for one in {id(mod): mod for _, mod in known.items()}.values():
        handlers.call_end(one, None, PER_ALWAYS)
    logging.getLogger("cloudinit").removeHandler(warnings)
    written = Path(paths.get_ipath("cloud_config"))
    config = safeyaml.load(written.read_text()) if written.exists() else None
    types = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    return {"config": config or {}, "types": types, "warnings": warnings.told}


def faults(config: dict[str, Any]) -> list[str]:
    """What its schema has against a cloud-config, deprecated keys too."""
    try:
        schema.validate_cloudconfig_schema(config, strict=True, log_deprecations=False)
    except schema.SchemaValidationError as error:
        return [str(error)]
    return []


def main() -> None:
    """Answer line by line until the end of input."""
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("instances/i-test/handlers", "instances/i-test/scripts", "handlers"):
                (Path(folder) / name).mkdir(parents=True)
            found = merged(json.loads(line), Path(folder))
        found["faults"] = faults(found["config"])
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
