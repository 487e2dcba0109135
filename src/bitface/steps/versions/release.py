"""Makes a bundle ready for release: with its card, bill of materials and provenance, signed as a whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bitface.documents import Document
from bitface.steps.retrain.plan import Run
from bitface.steps.versions.bill_of_materials import bill_of_materials, provenance
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.served import RELEASE

CARD: Final = "model_card.md"
BILL: Final = "mlbom.cdx.json"
PROVENANCE: Final = "provenance.json"


def release_bundle(run: Run, outcome: Outcome, card: Path, version: int, sign: Callable[[Path], None]) -> Path:
    """Writes `bundle/` in the run's folder, whole or not at all, and returns it. `version` is the ledger's number."""
    folder, bundle, decision = run.folder / RELEASE, outcome.model.bundle, outcome.decided
    partial = folder.with_name(f"{RELEASE}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(bundle.folder, partial)
    shutil.copy2(card, partial / CARD)
    _write(partial / BILL, bill_of_materials(run, bundle, outcome.findings.evaluation, decision, version))
    files = {path.name: path for path in partial.iterdir()}
    _write(partial / PROVENANCE, provenance(run, bundle, decision, files))
    sign(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _write(path: Path, document: Document) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
