"""What tests of several folders set up alike, so that each of them says only what is its own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bitface.dataset.incoming.import_rows import ImportRow, QuarantinedRow, manifest_table, rows_of


def read_manifest(
    manifest: Path, root: Path, ignored: Collection[str] = ()
) -> tuple[tuple[ImportRow, ...], tuple[QuarantinedRow, ...]]:
    """The usable rows of a manifest CSV and the quarantined ones, as an import reads them."""
    return rows_of(manifest_table(manifest, ignored), root)
