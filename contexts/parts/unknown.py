"""What an imported context said and no part knows: kept as it was, shown, and not lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from contexts.asking import block, several, switch
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import lines, text
from contexts.reading import switch as said
from contexts.schema import Document, Fault, Values
from contexts.shapes import NAME

_SECTION = re.compile(r"\[([^\]]+)\]\s*")
_LINE = re.compile(r"([^:=\s][^:=]*?)\s*[:=]\s*(.*)")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HARMLESS = re.compile(r"[A-Za-z0-9._/:,@%+=-]*|\"[A-Za-z0-9._/:,@%+=| ;*-]*\"")


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    for line in text(values, "sections").split("\n"):
        if line.strip() and not _SECTION.fullmatch(line) and not _LINE.fullmatch(line):
            told = f"{line[:40]!r} is neither [section] nor key = value: correct it or take it out"
            yield Fault("unknown.sections", told)
            break
    for line in text(values, "boot").split("\n"):
        if line.strip() and (not _LINE.fullmatch(line) or line.startswith("[")):
            yield Fault(
                "unknown.boot", f"{line[:40]!r} is not key=value: correct it or take it out"
            )
            break


def sections(values: Values) -> dict[str, dict[str, str]]:
    """Its sections as amiconfig reads them."""
    found: dict[str, dict[str, str]] = {}
    held: dict[str, str] = {}
    for line in text(values, "sections").split("\n"):
        if named := _SECTION.fullmatch(line):
            held = found.setdefault(named[1], {})
        elif pair := _LINE.fullmatch(line):
            held[pair[1].lower()] = pair[2].strip()
    return {name: keys for name, keys in found.items() if keys}


def boot(values: Values) -> dict[str, str]:
    """Its lines for the boot loader."""
    found = (_LINE.fullmatch(line) for line in text(values, "boot").split("\n"))
    return {pair[1].lower(): pair[2].strip() for pair in found if pair}


def _pieces(values: Values, machine: Machine) -> Pieces:
    trusted = said(values, "as_is") or False
    held: list[str] = []
    block_ = _kept("boot-loader", boot(values), trusted, held)
    ini = {
        name: kept
        for name, keys in sections(values).items()
        if (kept := _kept(name, keys, trusted, held))
    }
    warnings = ["unknown: it holds lines that no part knows; a machine gets them unchecked"]
    if held:
        warnings.append(f"unknown: left out, a shell may read more than text: {', '.join(held)}")
    risky = [f"[{name}] {key}" for name, key in _risky(ini, block_)]
    if risky:
        warnings.append(f"unknown: given as they are, a shell may run them: {', '.join(risky)}")
    return Pieces(
        amiconfig=ini,
        plugins=tuple(lines(values, "plugins")),
        ucernvm=block_,
        secrets=("unknown.sections",) if ini else (),
        warnings=tuple(warnings) if ini or block_ or held else (),
    )


def _risky(
    ini: Mapping[str, Mapping[str, str]], block_: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What only goes to machines because somebody said so."""
    for name, keys in {**ini, "boot-loader": block_}.items():
        yield from ((name, key) for key, value in keys.items() if not _is_harmless(key, value))


def _kept(where: str, keys: dict[str, str], trusted: bool, held: list[str]) -> dict[str, str]:
    """The keys whose values are text to any shell, or all if a person said so."""
    if not _NAME.fullmatch(where):
        held.append(f"[{where}]")
        return {}
    good = {
        key: value
        for key, value in keys.items()
        if _is_harmless(key, value) or (trusted and _is_line(key, value))
    }
    held.extend(f"[{where}] {key}" for key in keys if key not in good)
    return good


def _is_line(key: str, value: str) -> bool:
    """Whether it can be written at all, and is read again as it was."""
    return bool(_NAME.fullmatch(key) and re.fullmatch(r"[ -~]*", value) and " ;" not in value)


def _is_harmless(key: str, value: str) -> bool:
    return bool(_HARMLESS.fullmatch(value) and _NAME.fullmatch(key))


PART = Made(
    "unknown",
    "Advanced",
    "Unknown",
    "Keeps what an imported context said and no part knows.",
    (
        several(
            "plugins",
            "Plug-ins",
            "Words of `plugins` that no part knows.",
            NAME,
            example=["sfcb-client-setup"],
            runs=True,
        ),
        block(
            "sections",
            "Sections",
            "Lines of amiconfig's sections, as they were.",
            "[sfcb-client-setup]\nboot-uuid = 1234\n",
            secret=True,
            runs=True,
            longest=64_000,
        ),
        block(
            "boot",
            "Boot loader",
            "Lines of the boot loader's block, as they were.",
            "cvmfs_path=cvm4\n",
            runs=True,
            longest=64_000,
        ),
        block(
            "dropped",
            "Not read",
            "Lines that nobody ever read. Machines do not get them.",
            "; a comment",
            secret=True,
            longest=64_000,
        ),
        switch(
            "as_is",
            "As it is",
            "Give machines also values that a shell may read as commands.",
            runs=True,
        ),
    ),
    _pieces,
    _rules,
    "Values that a shell could read as more than text are kept and shown, but machines get them "
    "only if somebody says so (`as_is`).",
)
