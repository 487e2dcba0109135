"""Long tests that state a rate: a few rounds in `make test`, all of them in `make evidence`, which keeps what it found.

With BITFACE_EVIDENCE=full every result is written to .bitface/evidence; a test that was done with these very sources is
not done again, so an interrupted evening goes on where it stopped, and docs/evidence.md is written from all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".bitface" / "evidence"
PAGE = ROOT / "docs" / "evidence.md"
FULL = os.environ.get("BITFACE_EVIDENCE") == "full"
AGAIN = os.environ.get("BITFACE_EVIDENCE_AGAIN") == "1"


def sources_sha256(test: Path) -> str:
    """Of everything that a result rests on: the package, the flows, the parameters, and the test itself."""
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "flows").rglob("*.py"), ROOT / "params.yaml"]
    digest = hashlib.sha256()
    for path in sorted([*files, *test.parent.glob("*.py")]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def rounds() -> Callable[[int, int], int]:
    """`rounds(few, all)`: how often to do it."""
    return lambda few, every: every if FULL else few


@pytest.fixture
def state(request: pytest.FixtureRequest) -> Callable[[str, str, int], None]:
    """`state(claim, figure, n)` prints a result, and keeps it where all rounds were done; called last in a test."""
    start = perf_counter()
    kept = KEPT / f"{request.node.name}.json"
    sources = sources_sha256(Path(request.node.path)) if FULL else ""
    if FULL and not AGAIN and kept.is_file() and json.loads(kept.read_text())["sources"] == sources:
        pytest.skip("done with these very sources; BITFACE_EVIDENCE_AGAIN=1 does it again")

    def say(claim: str, figure: str, n: int) -> None:
        sys.stdout.write(f"{claim}: {figure} (n = {n})\n")
        if not FULL:
            return
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        found: dict[str, Any] = {
            "claim": claim,
            "figure": figure,
            "n": n,
            "test": f"{Path(request.node.path).relative_to(ROOT)}::{request.node.name}",
            "seconds": round(perf_counter() - start, 1),
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit.stdout.strip(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "sources": sources,
        }
        KEPT.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found, indent=1))

    return say


def none_of(n: int) -> str:
    """What no failure in n rounds says: at 95 % the rate is below 3/n (rule of three)."""
    return f"0 of {n}, so below {300 / n:.2g} % at 95 % confidence"


@pytest.fixture
def never() -> Callable[[int], str]:
    """`never(n)`: the words for no failure in n rounds."""
    return none_of


def row_of(one: dict[str, Any]) -> str:
    return (
        f"| {one['claim']} | {one['figure']} | {one['n']:,} | `{one['test']}` | {one['seconds']:.0f} s "
        f"| {one['date']}, {one['commit']}, {one['machine']} |"
    )


def kept_rows() -> dict[str, str]:
    """What the page says already, by test: another machine may have done some of them."""
    lines = PAGE.read_text().splitlines() if PAGE.is_file() else []
    return {found[1]: line for line in lines if (found := re.search(r"\| `(tests/[^`]+)` \|", line))}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes docs/evidence.md, once, from what is kept."""
    if not FULL or hasattr(session.config, "workerinput") or not KEPT.is_dir():
        return
    found = [json.loads(path.read_text()) for path in KEPT.glob("*.json")]
    rows = kept_rows() | {one["test"]: row_of(one) for one in found}
    lines = [
        "# Evidence",
        "",
        "Written by `make evidence` from the long tests at full n; `make test` does the same tests with fewer rounds.",
        "Where nothing failed in n rounds, the rate is below 3/n at 95 % confidence (rule of three).",
        "",
        "| What | Figure | n | Test | Took | When, where |",
        "|---|---|---|---|---|---|",
        *(row for _, row in sorted(rows.items())),
        "",
    ]
    PAGE.write_text("\n".join(lines))
