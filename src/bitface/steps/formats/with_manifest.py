"""A folder of pictures with `manifest.csv`, `licence.json`, `consents.jsonl` and the notices shown in `notices/`."""

from __future__ import annotations

from functools import partial

from bitface.dataset.incoming.import_rows import manifest_table
from bitface.dataset.incoming.text_files import Table
from bitface.steps.people.sources import BESIDE, FolderFiles, FormatReader, source_of_table


def manifest_of(files: FolderFiles) -> Table:
    """The manifest. Raises what `manifest_table` raises."""
    return manifest_table(files.manifest or files.folder / "manifest.csv", files.ignored_columns)


READER = FormatReader(source=partial(source_of_table, manifest_of), reads=BESIDE | {"manifest", "ignore-column"})
