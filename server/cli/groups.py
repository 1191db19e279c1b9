"""The classes of all commands and groups: `--json` everywhere, faults told, never a traceback."""

from __future__ import annotations

from typing import Any

import click

from server.cli.exits import BadFile, Interrupted, NotReached, NotSigned
from server.cli.output import JSON_FLAG
from server.configure import BadSettings
from server.db.errors import StoreUnusable
from server.domain.errors import Unavailable
from server.keyring import KeyTrouble


def _ask_for_json(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        context.meta[JSON_FLAG] = True


class Deed(click.Command):
    """A command, with ``--json``."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_ask_for_json,
                help="Answer with one JSON document.",
            )
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what can be expected to go wrong becomes a `Fault`."""
        try:
            return super().invoke(ctx)
        except BadSettings as error:
            raise BadFile("the settings cannot be used", error.faults) from error
        except KeyTrouble as error:
            raise NotSigned(str(error)) from error
        except StoreUnusable as error:
            raise BadFile(str(error)) from error
        except Unavailable as error:
            raise NotReached(str(error)) from error
        except (KeyboardInterrupt, click.Abort) as error:
            raise Interrupted("interrupted; nothing more was done") from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise BadFile(_told(error)) from error


def _told(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


class House(click.Group):
    """A group of commands of these classes."""

    command_class = Deed
    group_class = type
