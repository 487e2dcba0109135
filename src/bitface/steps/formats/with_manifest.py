"""A folder of pictures with `manifest.csv`, `licence.json`, `consents.jsonl` and the notices shown in `notices/`."""

from __future__ import annotations

from dataclasses import replace

from bitface.dataset.incoming.import_rows import manifest_table
from bitface.dataset.incoming.manifest_columns import EXAMPLE
from bitface.dataset.incoming.text_files import Table
from bitface.steps.people.brought_consents import BroughtConsents
from bitface.steps.people.sources import BESIDE, FolderFiles, FormatReader, Here, Source, source_of_table


def manifest_of(files: FolderFiles) -> Table:
    """The manifest. Raises what `manifest_table` raises."""
    return manifest_table(files.manifest or files.folder / "manifest.csv", files.ignored_columns)


def _source(files: FolderFiles, consents: BroughtConsents, here: Here) -> Source:
    found = source_of_table(manifest_of, files, consents, here)
    return replace(found, intake=replace(found.intake, example=EXAMPLE))


READER = FormatReader(source=_source, reads=BESIDE | {"manifest", "ignore-column"})
