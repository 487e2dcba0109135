"""A folder of videos with `manifest.csv`: each row is a clip, a whole file or some seconds of one."""

from __future__ import annotations

from dataclasses import replace

from bitface.dataset.incoming.import_rows import manifest_table
from bitface.dataset.incoming.manifest_columns import OF_CLIPS
from bitface.steps.people.brought_consents import BroughtConsents
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, Here, Source, source_of


def clips_of(files: FolderFiles) -> Brought:
    """The rows of the manifest. Raises what `manifest_table` raises."""
    table = manifest_table(files.manifest or files.folder / "manifest.csv", files.ignored_columns, OF_CLIPS)
    return Brought(table=table, are_clips=True)


def _source(files: FolderFiles, consents: BroughtConsents, here: Here) -> Source:
    found = source_of(clips_of, files, consents, here)
    return replace(found, intake=replace(found.intake, example=OF_CLIPS.example))


READER = FormatReader(source=_source, reads=BESIDE | {"manifest", "ignore-column"})
