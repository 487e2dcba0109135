"""Imports a tool without what it imports for features that are not used here: a cold prediction saves seconds and memory by it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

_MAY_IMPORT_BESIDE: Final = "prefect"
"""Where a flow runs, its threads may import the real modules at the same moment."""


class _Unneeded(ModuleType):
    """A module of which every name is a class without content, for annotations and base classes that are not used."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 - as of every package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return sys.modules.get(f"{self.__name__}.{name}") or type(name, (), {})


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """While the block imports, modules of these names have no content, unless they were imported before; what is imported after it gets the
    real ones. Does nothing in a process that runs flows.
    """
    absent = [] if _MAY_IMPORT_BESIDE in sys.modules else [name for name in names if name not in sys.modules]
    sys.modules.update({name: _Unneeded(name) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
