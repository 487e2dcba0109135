"""Keeps a stage's result under a key of everything that it is made from, so that a second run repeats nothing."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import bitface
from bitface.dataset.files import sha256_of
from bitface.params import Params, Section

_DONE: Final = "done"
_ROOT: Final = Path(bitface.__file__).parent


@dataclass(frozen=True, kw_only=True)
class StageInputs:
    """Everything that a stage's result depends on, from which the key of the result follows.

    `module` is the stage's own (`__name__`), `sections` are those of params.yaml that it reads, `inputs` the names of what it is
    given besides, `code` the modules and packages below `bitface` that compute the result; whatever these import belongs to it.
    Of `sources` their own text counts and not what they import. `carriers` are modules which the stage imports and which change no
    result, such as those that read and write files: a test asks that every import of the stage is in one of the three.

    Raises:
        ValueError: when the stage's module is imported, for a section or a module that does not exist.
    """

    module: str
    sections: tuple[str, ...]
    inputs: tuple[str, ...]
    code: tuple[str, ...]
    sources: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [name for name in self.sections if name not in Params.model_fields]
        unknown += [name for name in (*self.code, *self.sources, *self.carriers) if not _files_of(_full(name))]
        if unknown:
            raise ValueError(f"{self.module} depends on '{unknown[0]}', which does not exist; correct its StageInputs")

    def key(self, params: Params | None, /, **inputs: object) -> str:
        """The key of the result for these parameters and inputs, 32 hexadecimal digits; `params` is None where no section is declared.

        Raises:
            TypeError: an input is missing, or is none of those that are declared.
        """
        if inputs.keys() != set(self.inputs):
            raise TypeError(f"{self.module} declares the inputs {sorted(self.inputs)} and was given {sorted(inputs)}")
        values = {name: getattr(params, name) for name in self.sections}
        digests = {name: value.digest() if isinstance(value, Section) else value for name, value in values.items()}
        return key_of(self.module, digests, inputs, _digest_of(self.files()))

    def restricted(self, params: Params) -> Params:
        """The same parameters; reading a section that is not declared raises LookupError."""
        return cast(Params, _Restricted(params, self))

    def files(self) -> tuple[Path, ...]:
        """The source files that the key covers: the stage's own, `code`, and everything that `code` imports."""
        own = {path for name in (self.module, *map(_full, self.sources)) for path in _files_of(name)}
        return tuple(sorted(own | _with_imports(tuple(map(_full, self.code)))))


class _Restricted:
    """The declared sections of parameters."""

    def __init__(self, params: Params, stage: StageInputs) -> None:
        self._params, self._stage = params, stage

    def __getattr__(self, name: str) -> Any:
        if name not in self._stage.sections:
            raise LookupError(f"{self._stage.module} reads the parameters '{name}' and does not declare them")
        return getattr(self._params, name)


def key_of(*parts: object) -> str:
    """SHA-256 over canonical JSON of the parts, shortened to 32 hexadecimal digits (128 bits)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@contextmanager
def unless_made(folder: Path) -> Iterator[Path | None]:
    """The folder to fill, which becomes `folder` when the block has ended without an error; None where a finished one is there.

    A killed run leaves no half result.
    """
    if (folder / _DONE).is_file():
        yield None
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    (partial / _DONE).touch()
    partial.rename(folder)


@cache
def code_digest() -> str:
    """SHA-256 of all source files of the package, shortened."""
    return _digest_of(tuple(sorted(_ROOT.rglob("*.py"))))


@cache
def _digest_of(files: tuple[Path, ...]) -> str:
    return key_of([[path.relative_to(_ROOT).as_posix(), sha256_of(path)] for path in files])


@cache
def _with_imports(modules: tuple[str, ...]) -> frozenset[Path]:
    """The files of the modules and, again and again, of what they import of this package."""
    found: set[Path] = set()
    waiting = [path for module in modules for path in _files_of(module)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [own for module in imports_of(path) for own in _files_of(module, with_submodules=False)]
    return frozenset(found)


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The modules of this package that a source file imports anywhere, except for type checking only."""
    return frozenset(_imported(ast.parse(path.read_bytes())))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from _ours(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from _ours(name if _files_of(name) else str(node.module) for name in names)
        yield from _imported(node)


def _ours(modules: Iterable[str]) -> Iterator[str]:
    return (module for module in modules if module.startswith("bitface."))


def _full(name: str) -> str:
    return f"bitface.{name}"


def _files_of(module: str, *, with_submodules: bool = True) -> tuple[Path, ...]:
    """The file of a module; of a package all files, or its own; none where it was not written by bitface."""
    if not module.startswith("bitface."):
        return ()
    place = _ROOT.joinpath(*module.split(".")[1:])
    if place.is_dir():
        return tuple(sorted(place.rglob("*.py"))) if with_submodules else (place / "__init__.py",)
    path = place.with_suffix(".py")
    return (path,) if path.is_file() else ()
