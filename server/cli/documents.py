"""Documents of contexts on the command line: read, written, changed field by field or by hand."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from contexts.exchange import MARK
from contexts.registry import PARTS
from contexts.schema import Field, Kind
from server.cli.client import Client
from server.cli.exits import BadFile, Missing, WrongUse
from server.cli.options import PATH, Call
from server.cli.output import emit, is_json, note, printable, tell
from server.cli.payload import rows_of

Body = dict[str, Any]
FILE_MOST = 1_000_000
EDITED = ("name", "description", "tags", "role", "site", "template", "without", "document")
SEAL = click.option(
    "--seal", is_flag=True, help="Seal it here with a secret that the server never sees."
)


def with_document(function: Call) -> Call:
    """Give a command the options that change a document; they come as ``file, fields, clears``."""
    for option in (
        click.option("--clear", "clears", multiple=True, metavar="PART[.FIELD]",
                     help="Say nothing of a field or part."),
        click.option("--field", "fields", multiple=True, metavar="PART.FIELD=VALUE",
                     help="A field; lists as JSON, or once for each line; @FILE: from a file."),
        click.option("--file", type=PATH, help="The whole document, as JSON."),
    ):  # fmt: skip
        function = option(function)
    return function


def says(said: Mapping[str, Any]) -> bool:
    """Whether any of these options was given."""
    return any(said.values())


def change(body: Body, file: Path | None, fields: Sequence[str], clears: Sequence[str]) -> None:
    """Carry the options out on the document in a body."""
    if file is not None:
        body["document"] = read_document(file)
    document = body["document"] = {name: dict(part) for name, part in body["document"].items()}
    given: dict[str, list[str]] = {}
    for text in fields:
        path, sign, value = text.partition("=")
        if not sign:
            raise WrongUse(f"--field {text}: write it as PART.FIELD=VALUE")
        given.setdefault(path.strip(), []).append(_value_of(value))
    for path, values in given.items():
        part, one = field_of(path)
        document.setdefault(part, {})[one.key] = typed(path, one, values)
    for path in clears:
        part, _, key = path.partition(".")
        if key:
            document.get(part, {}).pop(key, None)
        else:
            document.pop(part, None)


def _value_of(text: str) -> str:
    return text_of(Path(text[1:])).rstrip("\n") if text.startswith("@") else text


def field_of(path: str) -> tuple[str, Field]:
    """The part and field of a path; `WrongUse` if there is none."""
    part, _, key = path.partition(".")
    if part not in PARTS:
        raise WrongUse(f"{path}: there is no part {part}; there are {', '.join(PARTS)}")
    for one in PARTS[part].fields:
        if one.key == key:
            return part, one
    known = ", ".join(f"{part}.{one.key}" for one in PARTS[part].fields)
    raise WrongUse(f"{path}: there is no such field; there are {known or 'none'}")


def typed(path: str, one: Field, values: list[str]) -> Any:
    """The value of a field, from what was typed."""
    text = values[-1]
    match one.kind:
        case Kind.SWITCH:
            if text.lower() not in ("true", "yes", "on", "false", "no", "off"):
                raise WrongUse(f"{path}: yes or no")
            return text.lower() in ("true", "yes", "on")
        case Kind.NUMBER:
            if not text.lstrip("-").isdigit():
                raise WrongUse(f"{path}: a whole number")
            return int(text)
        case Kind.ROWS:
            return _rows(path, values)
        case Kind.LINES:
            return _decoded(path, text) if text.startswith("[") else [v for v in values if v]
        case _:
            return text


def _rows(path: str, values: list[str]) -> Any:
    """Rows as JSON, or one for each use of the option: ``column=value,column=value``."""
    if values[-1].startswith("["):
        return _decoded(path, values[-1])
    pairs = [[cell.partition("=") for cell in text.split(",")] for text in values if text]
    return [{key.strip(): value for key, _, value in row} for row in pairs]


def _decoded(path: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongUse(f"{path}: it is no JSON: {error}") from error


def read_document(file: Path) -> Body:
    """The document in a file: alone, or as `export` writes it."""
    try:
        found = json.loads(text_of(file))
    except ValueError as error:
        raise BadFile(f"{file}: it is no JSON: {error}") from error
    if isinstance(found, dict) and MARK in found:
        found = found.get("context")
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        raise BadFile(f"{file}: a context is {{part: {{field: value}}}}; see `context show --json`")
    return found


def text_of(file: Path) -> str:
    """The text of a file; `BadFile` if it is none."""
    if file.stat().st_size > FILE_MOST:
        raise BadFile(f"{file}: more than {FILE_MOST} bytes are no context")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(f"{file}: it is no text in UTF-8") from error


def identify(server: Client, context: str, scope: str = "mine") -> str:
    """The id of a context: as it is given, or that of the one of one's own with this name."""
    if len(context) == 32 and all(sign in "0123456789abcdef" for sign in context):
        return context
    found = rows_of(server.get("contexts", query={"scope": scope}), "contexts")
    fitting = [each["id"] for each in found if each["name"] == context]
    if not fitting:
        raise Missing(f"you have no context called {context}; `windfall context list` names them")
    if len(fitting) > 1:
        raise WrongUse(f"{context}: {len(fitting)} have this name; say which by its id")
    return str(fitting[0])


def title_of(server: Client, role: str) -> str:
    """The title of a role template."""
    for each in rows_of(server.get("context-templates"), "templates"):
        if each["name"] == role:
            return str(each["title"])
    raise Missing(f"there is no template {role}; `windfall context templates` names them")


def copied(server: Client, source: str) -> Body:
    """What another context says, without its secrets, as the beginning of a new one."""
    found = server.get("contexts", source, "export", query={"form": "json"})
    opened = server.get("contexts", source)
    document = json.loads(found["text"])["context"]
    return {"document": document, "without": [], "role": opened["role"], "site": opened["site"]}


def shown(found: Body) -> Body:
    """What a person reads of an opened context."""
    more = {"without": found["without"]} if found["without"] else {}
    return {**found["document"], **more}


def next_of(found: Body, heads: Body) -> Body:
    """The body of the next revision, saying what the latest says but for these heads."""
    head = found["context"]
    body = {key: found[key] for key in ("document", "without", "role", "site", "description")}
    body |= {"name": found["name"], "tags": head["tags"], "template": head["template"]}
    return {**body, "started_from": head["revision"], **heads}


def by_hand(body: Body) -> bool:
    """Let a person change the body in an editor; whether anything was changed."""
    before = {key: body[key] for key in EDITED}
    text = json.dumps(before, indent=2, ensure_ascii=False) + "\n"
    found = click.edit(text, extension=".json", require_save=True)
    if found is None:
        return False
    try:
        after = json.loads(found)
    except ValueError as error:
        raise BadFile(f"what was edited is no JSON, and nothing was saved: {error}") from error
    if not isinstance(after, dict) or not set(after) <= set(EDITED):
        raise BadFile(f"what was edited has other keys than {', '.join(EDITED)}")
    body.update(after)
    return bool(after != before)


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def write_or_print(text: str, out: Path | None, *, private: bool) -> None:
    """Write a text to a file, readable by its owner alone if it is private, or print it."""
    if out is None:
        if is_json():
            emit({"text": text})
        else:
            click.echo(printable(text), nl=False)
        return
    _write(out, text.encode(), 0o600 if private else 0o644)
    tell({"file": str(out), "size": len(text.encode())}, f"{out}: written")


def write_files(found: Body, folder: Path | None) -> None:
    """Write the files of a rendering into a folder, or print those that are text."""
    if folder is None:
        if is_json():
            emit(found)
            return
        for each in found["files"]:
            note(f"--- {each['name']} ({each['media']})")
            shown = each["text"] or f"({len(each['base64']) * 3 // 4} bytes; see --out)"
            click.echo("\n".join(map(printable, shown.split("\n"))))
        return
    folder.mkdir(parents=True, exist_ok=True)
    for each in found["files"]:
        body = base64.b64decode(each["base64"]) if each["base64"] else each["text"].encode()
        name = Path(each["name"]).name
        _write(folder / name, body, each["mode"])
    names = [each["name"] for each in found["files"]]
    tell(
        {"folder": str(folder), "files": names, "size": found["size"]},
        *(f"{folder}/{name}" for name in names),
        f"user data: {found['size']} of {found['limit']} bytes",
    )


def _write(path: Path, body: bytes, mode: int) -> None:
    """Write a file that has its mode from the start."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
