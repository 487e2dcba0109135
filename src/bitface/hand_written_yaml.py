"""Reads YAML that people edit by hand: errors name line and column, and a repeated key is refused."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from bitface.errors import InputError

_NESTING_MARKS: Final = "[{-?:"
_MARKS_WITHOUT_A_LOOK: Final = 1000
"""Marks that can open a level: libyaml's loader recurses without a limit of its own, and a deep document would end the process."""
_LEVELS_MOST: Final = 200


class _EachKeyOnce:
    """YAML requires unique keys, but PyYAML uses the last one: editing the first would have no effect."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"'{name[:40]}' is given twice", problem_mark=key.start_mark)
            seen.add(name)
        document: dict[Hashable, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]  # of the loader beside it
        return document


_OTHERWISE_READ: Final = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-9_]+)+(\.[0-9_]*)?)")
"""What YAML 1.1 reads as another number than a person means: 12:30 as 750, to the base of 60, and 010 as 8, to that of 8."""


def _number(loader: Any, node: yaml.ScalarNode) -> int | float:
    make = loader.construct_yaml_int if node.tag == _INT else loader.construct_yaml_float
    number: int | float = make(node)
    if _OTHERWISE_READ.fullmatch(node.value):
        raise yaml.MarkedYAMLError(
            problem=f"YAML reads {node.value[:40]} as the number {number}; write a number without ':' or a leading 0, or put it in quotes",
            problem_mark=node.start_mark,
        )
    return number


class _Loader(_EachKeyOnce, yaml.SafeLoader):
    pass


_FastLoader: type[Any] = type("_FastLoader", (_EachKeyOnce, yaml.CSafeLoader), {}) if yaml.__with_libyaml__ else _Loader
"""A tenth of the time, for what every command reads."""
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_LOADERS: Final[tuple[type[Any], ...]] = (_Loader, _FastLoader)
for _each in _LOADERS:
    for _tag in (_INT, _FLOAT):
        _each.add_constructor(_tag, _number)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, as plain values; None if it is empty.

    Raises:
        InputError: it is not UTF-8 text or not YAML; with line and column, both from 1. OSError: it cannot be read.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = data[: error.start].split(b"\n")
        place = f"{path.name}, line {len(lines)}, column {len(lines[-1]) + 1}"
        raise InputError(f"{place}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8") from error
    return _parsed(text, path.name)


def line_of(path: Path, keys: Sequence[int | str]) -> int | None:
    """The line, from 1, of the value at `keys` of a YAML file that could be read; None where there is none."""
    node = yaml.compose(path.read_text(encoding="utf-8-sig"), _FastLoader)
    for key in keys:
        values = {str(name.value): value for name, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        if isinstance(node, yaml.SequenceNode):
            values = {str(place): value for place, value in enumerate(node.value)}
        node = values.get(str(key))
    return node.start_mark.line + 1 if node else None


def parse_scalar(text: str, name: str) -> Any:
    """A value on the command line, parsed as YAML.

    Raises:
        InputError: it is not YAML.
    """
    return _parsed(text, name)


def _parsed(text: str, name: str) -> Any:
    with contextlib.suppress(yaml.YAMLError, ValueError, RecursionError):  # which the other loader explains better
        if sum(map(text.count, _NESTING_MARKS)) > _MARKS_WITHOUT_A_LOOK and _is_deep(text):
            raise InputError(f"{name}: more than {_LEVELS_MOST} levels are nested; close the brackets, or flatten it")
        return yaml.load(text, _FastLoader)  # noqa: S506 - a subclass of SafeLoader
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{name}{place}: {error.problem or error.context}; correct it there") from error
    except yaml.reader.ReaderError as error:
        place = f", line {text.count(chr(10), 0, error.position) + 1}"
        raise InputError(f"{name}{place}: a character that YAML does not allow; remove it") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Such as 2024-13-45, which looks like a date but is not one.
        raise InputError(
            f"{name}: {' '.join(str(error).split())[:200]}; put the value in quotes or correct it"
        ) from error


def _is_deep(text: str) -> bool:
    """Whether it opens more levels than a loader may recurse into; it is read up to there alone, one event after the other."""
    level = 0
    for event in yaml.parse(text, _FastLoader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _LEVELS_MOST:
            return True
    return False
