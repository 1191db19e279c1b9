"""Who may import whom: the table of the design, read against the imports of every file."""

from __future__ import annotations

import ast
import sys

from tests.architecture.sources import (
    FOREIGN,
    HOUSE,
    Source,
    functions,
    imported,
    is_within,
    sources,
)

SERVER = (
    *(
        "server.accord",
        "server.app",
        "server.blobs",
        "server.boinc",
        "server.certificate",
        "server.clusters",
        "server.configure",
        "server.countries",
    ),
    *("server.db", "server.domain", "server.handlers", "server.keyholder", "server.keyring"),
    *(
        "server.logs",
        "server.loops",
        "server.plotter",
        "server.providers",
        "server.safefile",
        "server.services",
        "server.settings",
    ),
    *("server.lookout", "server.operating", "server.rule", "server.sections", "server.tracing"),
    *("server.steady", "server.wiring"),
)
# Part -> what it may import of the house beside itself. The longest part that fits a module counts.
FLOORS: dict[str, tuple[str, ...]] = {
    "vmagent.wire": (),
    "vmagent": ("vmagent.wire",),
    "contexts": (),
    "web": (),
    "server": (),
    "server.blobs": (),
    "server.clusters": (),
    "server.rule": (),
    "server.sections": ("server.rule",),
    "server.operating": ("server.rule",),
    "server.settings": ("server.operating", "server.rule", "server.sections"),
    "server.accord": ("server.sections", "server.settings"),
    # Makes the desk of operations from the settings, as the wiring does with all else.
    "server.lookout": (
        *("server.blobs", "server.certificate", "server.domain", "server.keyholder"),
        "server.operating",
        *("server.services", "server.settings", "vmagent.wire"),
    ),
    "server.tracing": ("server.operating",),
    "server.certificate": (),
    "server.configure": ("server.accord", "server.rule", "server.settings"),
    "server.keyring": ("vmagent.wire",),
    "server.keyholder": ("server.keyring", "server.handlers.sealing", "vmagent.wire"),
    "server.safefile": ("server.blobs.descriptor", "server.keyring", "server.services.safe"),
    "server.countries": ("server.services",),
    "server.logs": (),
    "server.providers": ("server.domain", "server.keyring", "server.accord"),
    "server.plotter": ("server.domain",),
    "server.steady": (),
    "server.domain": (),
    "server.db": ("server.domain",),
    "server.services": (
        *("server.domain", "server.db", "server.blobs.base", "server.clusters.base", "contexts"),
        # Frames lie in segment files and units as seekable zstd: what of blobs a use case reads.
        *("server.blobs.segments", "server.blobs.seekable"),
    ),
    "server.handlers": ("server.services", "server.domain", "vmagent.wire", "web", "contexts"),
    "server.boinc": ("server.services", "server.domain"),
    "server.loops": ("server.services",),
    "server.app": (*SERVER, "contexts", "web", "vmagent.wire"),
    "server.wiring": (*SERVER, "contexts", "web", "vmagent.wire"),
    "server.cli": (*SERVER, "contexts", "vmagent.wire"),
    "server.__main__": ("server.cli", *SERVER),
    "tools": ("vmagent.wire", "server.domain"),
    # Pages that are made from the program need the program.
    "tools.draw_settings": ("server.rule", "server.settings", "server.configure", "tools.drawn"),
    "tools.draw_commands": ("server.cli", "tools.drawn"),
    "tools.draw_states": ("server.domain", "tools.drawn"),
    "tools.draw_contexts": ("contexts", "tools.drawn"),
    "tools.golden_contexts": ("contexts",),
    "tests": HOUSE,
}
# The version is said in one place, and every part may say it.
VERSION = "vmagent"
AGENT_LIBRARIES = ("cryptography", "urllib3")
NOT_IN_DOMAIN = ("asyncio", "time", "random", "os", "logging", "datetime", "secrets", "socket")


def _part(module: str) -> str:
    fitting = [part for part in FLOORS if is_within(module, (part,))]
    return max(fitting, key=len, default="")


def _outsiders(source: Source) -> list[str]:
    """The imports of a file that its part may not have."""
    own = _part(source.module)
    allowed = (*FLOORS[own], own) if own != "server" else ()
    return [
        f"{source.path}:{line} imports {name}"
        for line, name in imported(source)
        if name.partition(".")[0] in HOUSE
        and not is_within(name, allowed)
        and not (name == VERSION and _takes_only_version(source, line))
        and not any(part.startswith(f"{name}.") for part in allowed if _is_folder_of(name))
    ]


def _is_folder_of(name: str) -> bool:
    """Whether ``from name import part`` names only the folder that the part lies in."""
    return any(source.module == name and source.is_folder for source in sources())


def _takes_only_version(source: Source, line: int) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.lineno == line
        and [alias.name for alias in node.names] == ["__version__"]
        for node in ast.walk(source.tree)
    )


def test_every_file_lies_in_a_part_of_the_table() -> None:
    assert [source.path for source in sources() if not _part(source.module)] == []


def test_a_file_imports_only_what_its_floor_may() -> None:
    ours = [source for source in sources() if not source.path.startswith(FOREIGN)]
    assert [fault for source in ours for fault in _outsiders(source)] == []


def test_no_import_is_relative() -> None:
    relative = [
        f"{source.path}:{line}"
        for source in sources()
        for line, name in imported(source)
        if name.startswith(".")
    ]
    assert relative == []


def test_the_agent_needs_the_standard_library_and_two_others_alone() -> None:
    known = (*sys.stdlib_module_names, *AGENT_LIBRARIES, "vmagent")
    strangers = [
        f"{source.path}:{line} {name}"
        for source in _of("vmagent")
        for line, name in imported(source)
        if name.partition(".")[0] not in known
    ]
    assert strangers == []


def test_the_domain_knows_neither_clock_nor_chance_nor_disk() -> None:
    impure = [
        f"{source.path}:{line} {name}"
        for source in _of("server.domain")
        for line, name in imported(source)
        if is_within(name, NOT_IN_DOMAIN)
    ]
    opened = [
        f"{source.path}:{node.lineno} {ast.unparse(node)}"
        for source in _of("server.domain")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("open", "input", "print")
    ]
    assert impure + opened == []


def _of(part: str) -> list[Source]:
    found = [source for source in sources() if is_within(source.module, (part,))]
    assert found, f"there is no {part}"
    return found


def test_a_file_opens_with_one_sentence() -> None:
    faults = [
        f"{source.path}: {said!r}"
        for source in sources()
        if not (said := (ast.get_docstring(source.tree) or "").split("\n")[0]).endswith((".", "?"))
    ]
    assert faults == []


def test_no_file_is_too_long() -> None:
    long = [
        f"{source.path}: {source.lines} lines"
        for source in sources()
        if source.lines > (600 if source.is_test else 400)
    ]
    assert long == []


def test_no_function_is_too_long() -> None:
    long = [
        f"{source.path}:{node.lineno} {node.name}: {lines} lines"
        for source in sources()
        for node in functions(source)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1)
        > (90 if source.is_test else 60)
    ]
    assert long == []


def test_the_file_of_a_folder_holds_its_sentence_and_nothing_else() -> None:
    others = [
        f"{source.path}: {ast.unparse(node)}"
        for source in sources()
        if source.is_folder
        for node in source.tree.body[1:]
        if not (
            isinstance(node, ast.Assign)
            and [ast.unparse(target) for target in node.targets] in (["__version__"], ["__all__"])
        )
    ]
    assert others == []


def test_every_folder_of_tests_has_its_file() -> None:
    folders = {source.path.rpartition("/")[0] for source in sources() if source.is_test}
    named = {source.path.rpartition("/")[0] for source in sources() if source.is_folder}
    assert folders - named == set()


def test_a_forbidden_import_is_caught() -> None:
    text = '"""A page."""\nfrom server.db import hosts\nfrom server.db.hosts import find\n'
    page = Source("server/handlers/page.py", "server.handlers.page", text, ast.parse(text))
    assert len(_outsiders(page)) >= 2
