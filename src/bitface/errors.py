"""One family of errors, because the command line turns each kind into one line and one exit code (docs/INTERFACE)."""

from __future__ import annotations


class BitfaceError(Exception):
    """A refusal that a person can act on: the message names the value, the limit and the remedy."""

    exit_code = 1


class InputError(BitfaceError):
    """Bad usage or bad input (exit code 2)."""

    exit_code = 2


class NotSupportedError(InputError):
    """Whole, but of a kind that is not read: another format, more than 8 bits a channel."""


class OverLimitError(InputError):
    """Larger than a limit that keeps one file from taking the whole machine."""


class GateError(BitfaceError):
    """A data gate or a model gate said hold or block (exit code 3)."""

    exit_code = 3


class RefusedError(BitfaceError):
    """Refused by consent or policy (exit code 4)."""

    exit_code = 4


class IntegrityError(InputError):
    """Stored bytes are not the bytes that were recorded: a digest, a signature or a self-test does not match."""
