"""The London Set: consents and licence come from the terms that its makers state (see `consent.known_sources`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, Notice, london_consents, packaged_notice
from bitface.dataset.incoming.london import read_london
from bitface.dataset.incoming.text_files import SMALL_BYTES, read_text_file
from bitface.steps.people.brought_consents import NO_CONSENTS, BroughtConsents
from bitface.steps.people.intake_decision import Intake
from bitface.steps.people.sources import FolderFiles, FormatReader, Here, Source


def london_source(folder: Path, at: datetime) -> Source:
    """The London Set in a folder, either of its layouts. Raises what `read_london` raises."""
    rows, rejected = read_london(folder)
    notice = _notice()
    statements = [
        folder / name for name in ("SOURCE_README.md", "LICENSE.md", "README.md") if (folder / name).is_file()
    ]
    evidence = read_text_file(statements[0], SMALL_BYTES, folder).sha256 if statements else notice.sha256

    def consents(_: Mapping[str, str], bands: Mapping[str, str]) -> tuple[ConsentEvent, ...]:
        return london_consents(bands, evidence_sha256=evidence, recorded_at=at)  # type: ignore[arg-type]  # checked words

    intake = Intake(
        rows=rows,
        rejected=rejected,
        licence=LONDON_LICENCE,
        source="london",
        consents=consents,
        known_notices={notice.sha256: notice.notice_id},
    )
    return Source(intake=intake, notices=(notice,))


def _notice() -> Notice:
    return packaged_notice("london-1")


def _source(files: FolderFiles, _: BroughtConsents, here: Here) -> Source:
    return london_source(files.folder, here.at)


def _no_consents(_: FolderFiles, __: Here) -> BroughtConsents:
    return NO_CONSENTS


READER = FormatReader(source=_source, consents=_no_consents, notices=lambda _: (_notice(),), reads=frozenset())
