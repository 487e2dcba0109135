"""Types for the content of files: JSON and arrays are checked where they are read, and typed after that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # parsing a command line needs no numpy
    from numpy.typing import NDArray

Document = dict[str, Any]
"""A JSON object: values by key, each of any type."""
Fields = Mapping[str, Any]
"""A read-only one: a document, or a row of a table."""
Arrays: TypeAlias = "dict[str, NDArray[Any]]"
"""Arrays by their name in a file, each of its own type."""
