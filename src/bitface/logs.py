"""Log records by the standard library: silent unless BITFACE_LOG asks for a level, one JSON object per line with BITFACE_LOG_FORMAT=json.

Records name our commands, stages and files, never people.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from bitface.errors import InputError

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("text", "json")
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Time (UTC, ISO 8601), level, logger, message, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """A single line of JSON."""
        return json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage(),
                **_given(record),
            },
            default=str,
        )


class Text(logging.Formatter):
    """The same as plain text."""

    def format(self, record: logging.LogRecord) -> str:
        """A single line of text."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        given = "".join(f" {name}={value}" for name, value in _given(record).items())
        return f"{time} {record.levelname.lower()} {record.name}: {record.getMessage()}{given}"


def begin_logging(environment: Mapping[str, str]) -> None:
    """Sends records of `bitface` to standard error, as set by BITFACE_LOG and BITFACE_LOG_FORMAT; other loggers are not changed.

    Raises:
        InputError: a level or a format that does not exist.
    """
    level, shape = environment.get("BITFACE_LOG", ""), environment.get("BITFACE_LOG_FORMAT", "text")
    logger = logging.getLogger("bitface")
    logger.propagate = False
    if not level:
        logger.addHandler(logging.NullHandler())
        return
    if level not in LEVELS:
        raise InputError(f"BITFACE_LOG is '{level}'; use one of {', '.join(LEVELS)}")
    if shape not in FORMATS:
        raise InputError(f"BITFACE_LOG_FORMAT is '{shape}'; use one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if shape == "json" else Text())
    logger.handlers = [handler]
    logger.setLevel(level.upper())


def _given(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
