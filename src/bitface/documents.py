"""Names for what a file holds: JSON and arrays are checked where they are read, and typed once they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # parsing a command line needs no numpy
    from numpy.typing import NDArray

Document = dict[str, Any]
"""A JSON object that is looked into: values by key, each of whatever type its writer gave it."""
Fields = Mapping[str, Any]
"""The same where it is only read: a document, or a row of a table."""
Arrays: TypeAlias = "dict[str, NDArray[Any]]"
"""Arrays by the name that they have in a file, each of its own type."""
