"""The command line of the agent: windfall-agent."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, Optional

from vmagent import __version__, errors
from vmagent.options import Parser
from vmagent.plaintext import lines, printable
from vmagent.settings import Settings, default_state


def _options(parser: argparse.ArgumentParser, *wanted: str) -> None:
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "Optional[float]": float}
    for one in fields(Settings):
        if wanted and one.name not in wanted:
            continue
        variable = f"WINDFALL_{one.name.upper()}"
        parser.add_argument(
            f"--{one.name.replace('_', '-')}",
            type=kinds.get(str(one.type), str),
            default=os.environ.get(variable),
            help=f"{one.metadata['about']}; or {variable}".replace("%", "%%"),
        )


def _settings(found: argparse.Namespace, home: Any = None) -> Settings:
    """What was said here; else (with a home) what the context wants; else the defaults."""
    wished: dict[str, Any] = {}
    if home is not None:
        from vmagent import wanted

        wished = wanted.kept(home)
    names = [one.name for one in fields(Settings)]
    given = {name: getattr(found, name, None) for name in names}
    return Settings(
        **{**wished, **{name: value for name, value in given.items() if value is not None}}
    )


def _parser() -> Parser:
    parser = Parser(prog="windfall-agent", description="The agent of Windfall.")
    parser.add_argument("--state", type=Path, default=default_state(os.environ), help="its folder")
    parser.add_argument("--version", action="version", version=__version__)
    both = Parser(add_help=False)  # before the command or after it
    both.add_argument("--state", type=Path, default=argparse.SUPPRESS, help="the agent's folder")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    run = verbs.add_parser("run", help="work until told otherwise", parents=[both])
    _options(run)
    join = verbs.add_parser("join", help="join a server with an enrolment token", parents=[both])
    join.add_argument("--server", required=True, help="https://...")
    join.add_argument("--release-key", default="", help="kid to believe (WINDFALL_RELEASE_KEY)")
    join.add_argument("--token-file", help="file with the token; - is stdin (or WINDFALL_TOKEN)")
    join.add_argument("--name", default="", help="name of this machine (its host name)")
    shared = ("ca", "slots", "memory_mb", "reserve_mb", "sandbox", "sandbox_paths", "network")
    _options(join, *shared, "log_level")
    _pairing(verbs, both)
    check = verbs.add_parser("check", help="can this machine work?", parents=[both])
    check.add_argument("--server", help="https://... (the one joined)")
    check.add_argument("--json", action="store_true")
    _options(check, *shared)
    status = verbs.add_parser("status", help="what the agent does", parents=[both])
    status.add_argument("--json", action="store_true")
    verbs.add_parser("drain", help="end after the work in hand", parents=[both])
    verbs.add_parser("stop", help="end after the current event; twice: at once", parents=[both])
    verbs.add_parser("finish", help="end after the current event, however long", parents=[both])
    verbs.add_parser("suspend", help="freeze payloads until resumed", parents=[both])
    verbs.add_parser("resume", help="let payloads go on", parents=[both])
    probe = verbs.add_parser("probe", help="make the reference events of a manifest, no server")
    probe.add_argument("--manifest", required=True, help="manifest, JSON or signed")
    probe.add_argument("--payload", required=True, help="bundle, .tar.gz")
    probe.add_argument("--json", action="store_true")
    unit = verbs.add_parser("unit", help="print a systemd unit for this agent", parents=[both])
    unit.add_argument("--user", default="windfall", help="whom it runs as (windfall)")
    unit.add_argument("--console", action="store_true", help="the unit of `pair` on a console")
    verbs.add_parser("version", help="print the version")
    for verb in verbs.choices.values():
        verb.set_defaults(parser=verb)
    return parser


def _pairing(verbs: Any, both: Parser) -> None:
    """Commands for a machine that is, or becomes, somebody's."""
    pair = verbs.add_parser("pair", help="give this machine an owner, by PIN", parents=[both])
    pair.add_argument("--server", help="https://... (WINDFALL_SERVER, or it asks)")
    pair.add_argument("--release-key", default="", help="kid to believe (WINDFALL_RELEASE_KEY)")
    pair.add_argument("--code", action="store_true", help="show a code to be typed on the web")
    pair.add_argument("--name", default="", help="name of this machine (its host name)")
    pair.add_argument("--tty", help="terminal to talk on, as /dev/tty10 (standard input, output)")
    pair.add_argument("--plain", action="store_true", help="plain ASCII (by TERM and LANG)")
    pair.add_argument("--service", action="store_true", help="for a console that nobody logs in to")
    pair.add_argument("--no-run", action="store_true", help="only pair, do not begin to work")
    _options(pair)
    again = verbs.add_parser("recontextualize", help="fetch and apply the context", parents=[both])
    again.add_argument("--tty", help="terminal to ask on for its secret (standard input, output)")
    _options(again, "apply", "ca", "log_level")
    verbs.add_parser("banner", help="put up or take down the notice on consoles", parents=[both])


def _home(found: argparse.Namespace) -> Any:
    from vmagent.home import Home

    return Home(found.state)


def _run(found: argparse.Namespace) -> int:
    from vmagent import farewell, init, life, logs
    from vmagent.service import Service

    settings = _settings(found)
    logs.start(settings.log_level)
    init.split()
    service = Service(os.environ)
    try:
        code = life.live(_home(found), lambda home: _settings(found, home), service)
    except BaseException as error:
        service.stopping(type(error).__name__)
        farewell.leave(settings.job_outputs, farewell.message_of(error))
        raise
    logging.shutdown()
    # A request still under way in a thread must not hold up an agent that is to be gone.
    os._exit(code)


def _pair(found: argparse.Namespace) -> int:
    from vmagent import desk, logs

    settings = _settings(found)
    logs.start(settings.log_level)
    home = _home(found)
    stays = home.is_joined() or home.is_awaited() or found.service or found.no_run
    code = desk.pair(home, _wishes(found), settings, found.tty, found.plain)
    # A service that waited may be at work by now, or about to be.
    return code if code or stays or home.running() is not None else _run(found)


def _wishes(found: argparse.Namespace) -> Any:
    from vmagent.console import Wishes

    server = found.server or _configured("WINDFALL_SERVER")
    release = found.release_key or _configured("WINDFALL_RELEASE_KEY")
    return Wishes(server, release, found.name, found.code, found.service)


def _configured(name: str) -> str:
    from vmagent import machine

    root = Path(os.environ.get("WINDFALL_ROOT", "/"))
    return os.environ.get(name, "") or machine.configured(name, root)


def _recontextualize(found: argparse.Namespace) -> int:
    from vmagent import desk, logs

    settings = _settings(found)
    logs.start(settings.log_level)
    return desk.recontextualize(_home(found), settings, found.tty)


def _banner(found: argparse.Namespace) -> int:
    from vmagent import banner

    root = Path(os.environ.get("WINDFALL_ROOT", "/"))
    hangs = banner.hang(_home(found), _configured("WINDFALL_SERVER"), root)
    print(f"{root / banner.NAME}: {'hangs' if hangs else 'is down'}")
    return 0


def _join(found: argparse.Namespace) -> int:
    from vmagent import joining, logs

    settings = _settings(found)
    logs.start(settings.log_level)
    home = _home(found)
    home.prepare()
    home.lock()
    token = joining.read_token(found.token_file, os.environ)
    joining.expect(token, found.release_key or _configured("WINDFALL_RELEASE_KEY"))
    identity = joining.join(home, found.server, token, found.name, settings)
    print(printable(f"joined {identity.server} as host {identity.host} of {identity.account}"))
    return 0


def _check(found: argparse.Namespace) -> int:
    from vmagent import checks

    home, settings = _home(found), _settings(found)
    server = found.server
    if server is None:
        try:
            server = home.identity().server
        except errors.NotJoined:
            server = None
    looked = checks.look(home, server, settings)
    fine = checks.can_work(looked)
    if found.json:
        rows = [{"name": c.name, "verdict": c.verdict, "found": c.found} for c in looked]
        print(json.dumps({"can_work": fine, "checks": rows}))
    else:
        print(checks.table(looked))
    return 0 if fine else errors.CannotWork.code


def _status(found: argparse.Namespace) -> int:
    shown = _home(found).status()
    pid = shown["pid"]
    if found.json:
        print(json.dumps(shown))
    elif pid is None:
        print("no agent is running")
    else:
        why = f" ({printable(shown['why'])})" if shown.get("why") else ""
        print(f"agent {pid}: {shown['state']}{why}, server {shown.get('server', '?')}")
        if shown.get("seconds_left") is not None:
            print(f"  {shown['seconds_left']} s left for work")
        if shown.get("context"):
            told = f"{printable(shown['context'])} ({printable(shown.get('context_outcome', ''))})"
            print(f"  context {told}")
        if shown.get("limits"):
            print(f"  limits of the owner: {printable(shown['limits'])}")
        for task in shown.get("tasks", []):
            span = f"[{task['first']}, {task['last']})"
            print(f"  task {task['task']} {span} {task['phase']}, {task['done']} events done")
        for manifest, word in shown.get("failed_probes", {}).items():
            print(f"  manifest {manifest[:12]}: no reference events here, {word}")
        if shown.get("banned"):
            print(f"  no work: {printable(shown['banned'])}")
        if shown.get("last_refusal"):
            last = printable(shown["last_refusal"])
            print(f"  refused so far: {shown['refused']}; last: {last}")
    return 0 if pid is not None else errors.NotRunning.code


def _signal(found: argparse.Namespace, number: signal.Signals) -> int:
    pid = _home(found).running()
    if pid is None:
        raise errors.NotRunning(str(found.state))
    os.kill(pid, number)
    return 0


def _suspend(found: argparse.Namespace, wanted: bool) -> int:
    from vmagent import orderfile

    pid = _home(found).running()
    if pid is None:
        raise errors.NotRunning(str(found.state))
    orderfile.suspend(found.state, wanted)
    return 0


def _probe(found: argparse.Namespace) -> int:
    from vmagent import trial

    result = trial.probe_here(found.manifest, found.payload)
    shown = {
        "class": result.digest,
        "seconds_per_event": result.seconds_per_event,
        "bytes_per_event": result.bytes_per_event,
    }
    if found.json:
        print(json.dumps(shown))
    else:
        for name, value in shown.items():
            print(f"{name}: {value}")
    return 0


def _unit(found: argparse.Namespace) -> int:
    from vmagent import unit

    print(unit.text(found.user, unit.CONSOLE if found.console else unit.NAME), end="")
    return 0


def _version(_: argparse.Namespace) -> int:
    print(__version__)
    return 0


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "join": _join,
    "pair": _pair,
    "recontextualize": _recontextualize,
    "banner": _banner,
    "check": _check,
    "status": _status,
    "drain": lambda found: _signal(found, signal.SIGUSR2),
    "finish": lambda found: _signal(found, signal.SIGUSR1),
    "suspend": lambda found: _suspend(found, True),
    "resume": lambda found: _suspend(found, False),
    "stop": lambda found: _signal(found, signal.SIGTERM),
    "probe": _probe,
    "unit": _unit,
    "version": _version,
}


def main(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Run a command and exit with its code (the table is in `errors.EXIT_CODES`)."""
    found, more = _parser().parse_known_args(arguments)
    if more:
        found.parser.unknown(more)
    found.state = found.state.absolute()  # a sandbox is entered from another folder
    try:
        code = _VERBS[found.verb](found)
    except errors.AgentError as error:
        if isinstance(error, errors.PayloadFailed) and error.log:
            print(lines(error.log), file=sys.stderr)
        print(printable(f"windfall-agent: {error}"), file=sys.stderr)
        code = error.code
    except KeyboardInterrupt:
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
