"""Removes people's names from errors before a flow passes these to tools that store them: Prefect, MLflow, a catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PSEUDONYM: Final = re.compile(r"(?<![A-Za-z0-9])[rstx][0-9a-f]{15}(?:-[0-9A-Za-z]+)?(?![A-Za-z0-9])")
"""Pseudonyms, and sample ids derived from them (`faces.records`); names of runs and digests begin differently."""
PLACEHOLDER: Final = "(somebody)"


@contextmanager
def names_removed() -> Iterator[None]:
    """Raises any error from inside the block again, without pseudonyms in its text or in those of its causes.

    Owners' ids never appear in errors: our code does not write them.
    """
    try:
        yield
    except BaseException as error:
        for one in _chain(error):
            one.args = tuple(without_names(part) if isinstance(part, str) else part for part in one.args)
            for name in ("filename", "filename2"):
                if isinstance(getattr(one, name, None), str):
                    setattr(one, name, without_names(getattr(one, name)))
        raise


def without_names(text: str) -> str:
    """The text with every pseudonym replaced."""
    return _PSEUDONYM.sub(PLACEHOLDER, text)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and everything that led to it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
