"""Turns errors into one line and an exit code: user errors name a remedy, defects are written to a file."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import typer

from bitface.cli.interrupts import Ending
from bitface.cli.output import STDOUT
from bitface.cli.streams import escape_what_encodings_lack
from bitface.dataset.files import naming
from bitface.errors import BitfaceError
from bitface.logs import begin_logging
from bitface.surroundings import explained
from bitface.terminal_text import shown

LOG: Final = logging.getLogger("bitface.cli")
INTERRUPTED = 130
"""Typer's answer to a KeyboardInterrupt, whichever signal was behind it."""
CLOSED_PIPE = 141
"""As in a shell, for a program whose reader has closed the pipe, for example `| head`: 128 + SIGPIPE."""


def run_app(ending: Ending) -> int:
    """Runs the command line; returns the exit code."""
    escape_what_encodings_lack()
    try:
        code = _answered(ending)
        with naming(STDOUT):
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return CLOSED_PIPE
    except OSError as error:  # the answer itself could not be written
        _forget_output()
        return _report_error(explained(error) or str(error), 2)
    return code


@cache
def command_line() -> Callable[..., Any]:
    """The commands, put together once: with all their options that takes a tenth of a second."""
    from bitface.cli.app import app

    return typer.main.get_command(app)


def _answered(ending: Ending) -> int:
    """The exit code of the command; errors of standard output are raised."""
    out, start = sys.stdout, perf_counter()
    try:
        begin_logging(os.environ)
        LOG.debug("command begins", extra={"command": _command()})
        # Exit codes are returned; None is 0.
        code = int(command_line()(standalone_mode=False) or 0)
    except typer.TyperException as error:
        code = _misused(error)
    except BitfaceError as error:
        code = _report_error(str(error), error.exit_code)
    except typer.Abort:
        code = _report_error("cancelled at the prompt; nothing was done", 2)
    except SystemExit as error:
        # Typer's own reaction to a broken pipe, whichever pipe it was.
        sys.stdout = out
        if isinstance(error.__context__, OSError):
            return _unforeseen(error.__context__)
        raise
    except KeyboardInterrupt:
        ending.number = ending.number if ending.is_heard() else 2
        code = ending.exit_code
    except Exception as error:  # noqa: BLE001 - the one broad except: an exit code for everything
        if ending.is_heard():
            return _interrupted(ending)
        code = _unforeseen(error)
    except BaseException:  # what a tool's own handler of a signal raises
        if not ending.is_heard():
            raise
        code = ending.exit_code
    if ending.number or (code == INTERRUPTED and ending.is_heard()):
        code = _interrupted(ending)
    LOG.info(
        "command ended", extra={"command": _command(), "exit_code": code, "seconds": round(perf_counter() - start, 3)}
    )
    return code


def _command() -> str:
    """The command and, in a group, its subcommand: no option and no argument, since these may name people."""
    from bitface.cli.app import app

    words = [*sys.argv[1:3], "", ""]
    groups = {group.name for group in app.registered_groups}
    commands = {command.callback.__name__.strip("_") for command in app.registered_commands if command.callback}
    return f"{words[0]} {words[1]}" if words[0] in groups else words[0] if words[0] in commands else ""


def _interrupted(ending: Ending) -> int:
    ending.print_line()
    return ending.exit_code


def _report_error(text: str, code: int) -> int:
    sys.stderr.write(f"bitface: {shown(' '.join(text.split()))}\n")
    return code


def _misused(error: typer.TyperException) -> int:
    """A usage error found by the parser: help if a word was missing, else one line."""
    context = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(context.get_help() + "\n")
    else:
        hint = f"; see `{context.command_path} --help`" if context is not None else ""
        _report_error(error.format_message().rstrip(".") + hint, error.exit_code)
    return error.exit_code


def _unforeseen(error: Exception) -> int:
    """Exit code 2 if the environment is the cause, such as a full disk or a file in place of a folder; else 1."""
    if isinstance(error, BrokenPipeError) and _is_output_closed():
        raise error
    found = explained(error)
    if found is None or not found.startswith("'"):  # it names no place: it may be one of ours
        found = _unusable_place() or found
    if found:
        return _report_error(found, 2)
    why = f"{type(error).__name__}: {error}"
    file = _kept(error)
    LOG.error("defect", extra={"error": type(error).__name__, "traceback_file": file})
    if file is None:
        sys.stderr.write(shown("".join(traceback.format_exception(error))))
        return _report_error(f"this is a bug in bitface ({why}); please report it with the lines above", 1)
    return _report_error(f"this is a bug in bitface ({why}); please report it with {file}", 1)


def _unusable_place() -> str | None:
    """Whether one of our places cannot be written: a tool may not report that the disk was full."""
    from bitface.bootstrap.places import workspace
    from bitface.workspace import trouble_in

    with contextlib.suppress(BitfaceError, OSError):
        return next((f"{name} {words}" for name, words in trouble_in(workspace()).items()), None)
    return None


def _kept(error: Exception) -> Path | None:
    """The file with an error's traceback, without its message, which may name people. None if none can be written."""
    lines = [f"{datetime.now(UTC).isoformat()} {type(error).__name__}\n", *traceback.format_tb(error.__traceback__)]
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(prefix="bitface-defect-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(lines)
        return Path(name)
    return None


def _is_output_closed() -> bool:
    """Whether the reader of standard output has closed it; Rich then replaces it by the null device."""
    look = select.poll()
    with contextlib.suppress(OSError, ValueError):
        if os.path.samestat(os.fstat(sys.stdout.fileno()), Path(os.devnull).stat()):
            return True
        look.register(sys.stdout.fileno(), select.POLLOUT)
        return any(state & select.POLLERR for _, state in look.poll(0))
    return False


def _forget_output() -> None:
    """Python flushes standard output at exit, and would report the error again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
