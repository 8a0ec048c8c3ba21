"""The command's frame: the Typer application, shared options, and how errors become exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID

import eventsourcing.persistence as library
import psycopg
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli.output import Output, complain
from domain.agents import Agent, person
from domain.errors import InvalidIdentifier, InvalidTime, ProvenariumError, RefusedInput
from domain.pid import parse as parse_pid
from projections.engine import catch_up
from sources.synchronisation.source_system import SourceSystem, find_source
from sources.synchronisation.synchronise import find
from store.ledger import Axis, Ledger
from store.settings import Settings

DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130

_LOST = (psycopg.OperationalError, psycopg.InterfaceError, library.OperationalError, library.InterfaceError)


_ORDER = (
    *("sync", "runs", "revert", "find", "search"),
    *("get", "history", "diff", "blame", "prov"),
    *("export", "changes"),
    *("edit", "tombstone", "restore"),
    *("rebuild", "opensearch", "verify", "ledger", "audit"),
)

_json_before_command: ContextVar[bool] = ContextVar("json", default=False)


class Commands(TyperGroup):
    """Turns errors a person can cause into one line and exit status 1."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override] # typer keeps its base private
        """In the order of a working day."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program; wrong usage, too, is one line and exit status 2."""
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except TyperException as error:
            text = error.format_message()
            if text.strip():  # without arguments the help was shown, and there is nothing to add
                hint = "" if text.startswith("Invalid value") else "; --help tells more"
                complain(text.rstrip(".") + hint, "Usage", as_json="--json" in sys.argv)
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else DONE)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override] # typer keeps its base private
        """Run the command; see the module docstring."""
        as_json = "--json" in sys.argv
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a reader that went away is no surprise
        except ProvenariumError as error:
            complain(str(error), type(error).__name__, as_json=as_json)
        except (psycopg.Error, library.PersistenceError) as error:
            line = (str(error).strip().splitlines() or ["no reason given"])[0]
            again = "; give the command again when the database is there" if isinstance(error, _LOST) else ""
            complain(f"the database refused or failed: {line}{again}", "StoreUnavailable", as_json=as_json)
        except KeyboardInterrupt as error:
            told = str(error) or "interrupted; the same command goes on from here"
            complain(told, "Interrupted", as_json=as_json)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader has seen enough, so what is left in the buffer goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except UnicodeEncodeError as error:
            complain(f"{error.object!r} is not Unicode text; give it in UTF-8", "InvalidText", as_json=as_json)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            complain(f"{where}{error.strerror or error}", "SystemRefused", as_json=as_json)
        else:
            return result
        ctx.exit(REFUSED)
        return None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Every change to a digital specimen, kept for ever: synchronise archives, travel in time, export provenance.",
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON (one object, or JSON Lines for lists).")]
SourceOption = Annotated[str, typer.Option("--source", help="Name of the source system.")]
AxisOption = Annotated[
    Axis, typer.Option("--axis", help="recorded: when this store learned it; occurred: when the source said it.")
]
AgentOption = Annotated[
    str | None,
    typer.Option("--agent", envvar="PROVENARIUM_AGENT", help="ORCID or IRI of the person on whose request this is."),
]
PidArgument = Annotated[str, typer.Argument(metavar="PID", help="TEST/ABC-DEF-GHJ, or its DOI or Handle URL.")]


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"provenarium {metadata.version('provenarium')}")
        raise typer.Exit


@app.callback()
def root(
    as_json: JsonOption = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the program's version.")
    ] = False,
) -> None:
    """Options before the command."""
    _json_before_command.set(as_json)


def output(as_json: bool) -> Output:
    """Where to print; ``--json`` counts before and after the command's name."""
    return Output(as_json=as_json or _json_before_command.get())


@contextmanager
def opened() -> Iterator[Ledger]:
    """The ledger of the settings in the environment."""
    with Ledger.open(Settings.from_environment()) as ledger:
        yield ledger


def caught_up(ledger: Ledger, out: Output) -> None:
    """Bring the projections up to date, so that a person sees what they did."""
    try:
        with out.progress("projections", "events") as tick:
            catch_up(ledger, progress=tick)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted, but the change is stored; the next command shows it") from None


def pid_of(text: str) -> tuple[str, int | None]:
    """(PID, version or None) of an argument; a malformed one is a usage error."""
    try:
        return parse_pid(text)
    except InvalidIdentifier as error:
        raise typer.BadParameter(str(error), param_hint="PID") from None


def run_of(text: str) -> UUID:
    """The id of a run; a malformed one is a usage error."""
    try:
        return UUID(text)
    except ValueError:
        reason = f"{text!r} is not the id of a run; 'provenarium runs' lists them"
        raise typer.BadParameter(reason, param_hint="RUN") from None


def moment(text: str | None, reading: Any, option: str) -> Any:
    """A time option read by ``domain.times.start_of`` or ``end_of``; a malformed one is a usage error."""
    if text is None:
        return None
    try:
        return reading(text)
    except InvalidTime as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def agent_of(text: str | None, *, required: bool = False) -> Agent | None:
    """The requesting person; raises :class:`RefusedInput` when one is needed and none is named."""
    if text is None:
        if required:
            raise RefusedInput("say who asks for this: --agent ORCID, or set PROVENARIUM_AGENT")
        return None
    try:
        return person(text)
    except InvalidIdentifier as error:
        raise typer.BadParameter(str(error), param_hint="--agent") from None


def source_of(ledger: Ledger, name: str) -> SourceSystem:
    """The source system of this name; raises :class:`NotFound` naming those there are."""
    found = find_source(ledger, name)
    if found is None:
        find(ledger, name, "")  # says which sources there are
    return cast("SourceSystem", found)


def bytes_of(file: Path) -> bytes:
    """The content of a file that a person names; raises :class:`RefusedInput` saying why it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise RefusedInput(f"cannot read {file}: {error.strerror}") from None
