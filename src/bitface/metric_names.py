"""Names of logged figures, in one place: a reviewer compares versions by them, so they are a contract."""

from __future__ import annotations

import re
from typing import Final

_REFUSED: Final = re.compile(r"[^\w.\- :]")


def metric_name(*parts: str) -> str:
    """`happiness/auc`, `slice/gender:female/accuracy`: parts joined by slashes.

    Letters, digits, `_`, `.`, `-`, `:` and spaces stay; any other becomes `_`: a tracking store may refuse it.
    """
    return "/".join(_REFUSED.sub("_", part) for part in parts)


def slice_metric(attribute: str, value: str, metric: str) -> str:
    """`slice/<attribute>:<value>/<metric>`."""
    return metric_name("slice", f"{attribute}:{value}", metric)


def with_interval(name: str, value: float, lo: float, hi: float) -> dict[str, float]:
    """A figure and the ends of its interval, under `name`, `name.lo` and `name.hi`."""
    return {name: value, f"{name}.lo": lo, f"{name}.hi": hi}
