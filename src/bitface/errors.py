"""One family of errors, because the command line turns each kind into one line and one exit code (docs/INTERFACE)."""

from __future__ import annotations


class BitfaceError(Exception):
    """An error that a user can act on: the message names the value, the limit and the remedy."""

    exit_code = 1


class InputError(BitfaceError):
    """Bad usage or bad input (exit code 2)."""

    exit_code = 2


class NotSupportedError(InputError):
    """Intact, but of an unsupported kind: another format, more than 8 bits per channel."""


class OverLimitError(InputError):
    """Above a limit that keeps one file from exhausting the machine."""


class WorkerEndedError(InputError):
    """A process of ours was ended from outside."""


class GateError(BitfaceError):
    """A data gate or a model gate decided hold or block (exit code 3)."""

    exit_code = 3


class RefusedError(BitfaceError):
    """Refused by consent or policy (exit code 4)."""

    exit_code = 4


class IntegrityError(InputError):
    """Stored bytes are not the bytes that were recorded: a digest, a signature or a self-test does not match."""
