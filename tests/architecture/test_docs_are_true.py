"""What the docs name exists: tests, source files, pages; and the image of the worker gets every file that the wheel does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def missing_in(text: str, folder: Path) -> Iterator[str]:
    """What a page names and is not there; `folder` is where its links begin."""
    for file, name in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text):
        path = ROOT / file
        if not path.is_file() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
            yield f"{file}::{name}" if name else file
    for file in re.findall(r"`(test_\w+\.py)`", text):
        if not any((ROOT / "tests").rglob(file)):
            yield file
    for file in re.findall(
        r"`((?:src/bitface|flows|steps|ledger|dataset|gate|consent|faces|training|models)/[\w/]*\.py)`", text
    ):
        if not any((ROOT / root / file).is_file() for root in ("", "src/bitface")):
            yield file
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in link and not (folder / link).exists():
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_exists(page: Path) -> None:
    text = re.sub(
        r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
    )  # examples name what a reader is to make
    assert not list(missing_in(text, page.parent))


@pytest.mark.parametrize(
    "text",
    [
        "`tests/unit/test_nothing.py`",
        "tests/unit/test_logs.py::test_gone",
        "`test_gone.py`",
        "`steps/gone.py`",
        "[a](gone.md)",
    ],
)
def test_what_is_gone_is_found(text: str) -> None:
    assert list(missing_in(text, ROOT / "docs"))


def test_the_image_of_the_worker_gets_every_file_that_the_wheel_packs() -> None:
    """It is an editable installation: a file that the wheel carries beside the package is read from its place in the checkout."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    copied = re.findall(
        r"^COPY (?:--\S+ )?(.+)$", (ROOT / "docker" / "worker.Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(wheel["force-include"]) <= {word.removeprefix("./") for line in copied for word in line.split()[:-1]}
