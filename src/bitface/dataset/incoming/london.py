"""Reads the Face Research Lab London Set (DeBruine & Jones 2017, CC BY 4.0) in its published layout or as a reduced copy.

Published: folders `neutral_front/` (`001_03.jpg`) and `smiling_front/` (`001_08.jpg`) beside `london_faces_info.csv`
with face_id (`X001` in the first versions, `001` in later ones), face_age, face_sex (or face_gender), face_eth.
Reduced: `images/` beside `manifest.csv` with subject, file, label, age, gender, ethnicity and ita (individual typology angle in
degrees, measured on the picture).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bitface.dataset.incoming.ages import StatedAge, closed_people, years_of
from bitface.dataset.incoming.import_rows import ImportRow, QuarantinedRow, ancestry_of, gender_of
from bitface.dataset.incoming.source_paths import SourceFolder
from bitface.dataset.incoming.subject_ids import normal_id
from bitface.dataset.incoming.text_files import read_table, read_text_file
from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.faces.records import age_band_of

_EMOTION_OF_FOLDER: Final = {"neutral_front": "neutral", "smiling_front": "smiling"}
_UNKNOWN: Final = ("", "NA", "NaN")
_ITA_BOUNDS: Final = (55.0, 48.0, 41.0, 34.5, 28.0, 19.0, 10.0, -10.0, -30.0)
"""Lower ends of the Monk tones 1 to 9 in degrees: the six classes of Chardon et al. 1991 (55, 41, 28, 10, -30), three of
them halved. An approximation: the angle depends on the light of the picture, so the record is not self-reported."""


def read_london(source: Path) -> tuple[tuple[ImportRow, ...], tuple[QuarantinedRow, ...]]:
    """The rows of the London Set below `source`, and those that could not be taken.

    Raises:
        InputError: neither layout is there.
    """
    if (source / "manifest.csv").is_file():
        entries = _reduced(source)
    elif (source / "london_faces_info.csv").is_file():
        entries = _published(source)
    else:
        raise InputError(
            "the source folder has neither manifest.csv nor london_faces_info.csv; check that this is the London Set"
        )
    folder = SourceFolder(source)
    usable: list[ImportRow] = []
    rejected: list[QuarantinedRow] = []
    ages: list[StatedAge] = []
    for number, entry in enumerate(entries, start=1):
        try:
            ages.append(StatedAge(subject=_subject(entry), row=number, text=_fact(entry, "age")))
            usable.append(_row(number, entry, folder))
        except InputError as error:
            rejected.append(QuarantinedRow(row=number, reason=str(error)))
    closed = closed_people(ages)
    rejected += [row.refused(closed[row.subject_id]) for row in usable if row.subject_id in closed]
    kept = [row for row in usable if row.subject_id not in closed]
    return _with_one_tone(kept), tuple(sorted(rejected, key=lambda row: row.row))


def _with_one_tone(rows: Sequence[ImportRow]) -> tuple[ImportRow, ...]:
    """Everyone's rows with the median of their tones: the angle is measured in each picture, a person has one skin."""
    tones: dict[str, list[int]] = {}
    for row in rows:
        if row.skin_tone is not None:
            tones.setdefault(row.subject_id, []).append(row.skin_tone)
    medians = {subject: sorted(own)[len(own) // 2] for subject, own in tones.items()}
    return tuple(replace(row, skin_tone=medians.get(row.subject_id)) for row in rows)


def monk_of_ita(ita_deg: float) -> int:
    """The Monk tone, 1 to 10, that stands nearest to an individual typology angle in degrees."""
    return 1 + sum(ita_deg <= bound for bound in _ITA_BOUNDS)


def _row(number: int, entry: Mapping[str, str], folder: SourceFolder) -> ImportRow:
    try:
        tone = monk_of_ita(float(_fact(entry, "ita"))) if _fact(entry, "ita") else None
    except ValueError as error:
        raise InputError("ITA is not a number") from error
    return ImportRow(
        row=number,
        path=folder.file(entry["file"]),
        subject_id=_subject(entry),
        label=emotion_of(entry["label"]),
        age_band=age_band_of(years_of(_fact(entry, "age"))),
        gender=gender_of(entry.get("gender", "")),
        skin_tone=tone,
        ancestry=ancestry_of(entry.get("ethnicity", "")),
        clip="",
        frame=0,
        split="",
    )


def _subject(entry: Mapping[str, str]) -> str:
    if not entry["subject"].strip():
        raise InputError(f"{entry['file']}: london_faces_info.csv says nothing of this person; copy the whole table")
    return normal_id(f"london-{entry['subject'].strip()}")


def _fact(entry: Mapping[str, str], column: str) -> str:
    """What a column says, empty where that is nothing."""
    text = entry.get(column, "")
    return "" if text in _UNKNOWN else text


def _reduced(source: Path) -> Iterator[dict[str, str]]:
    for row in _csv(source / "manifest.csv", ("subject", "file", "label")):
        yield {**row, "file": f"images/{row['file']}"}


def _published(source: Path) -> Iterator[dict[str, str]]:
    people = {_number_of(row["face_id"]): row for row in _csv(source / "london_faces_info.csv", ("face_id",))}
    for folder, label in _EMOTION_OF_FOLDER.items():
        for path in sorted((source / folder).glob("*.jpg")):
            subject = _number_of(path.name.partition("_")[0])
            facts = people.get(subject, {})
            yield {
                "subject": subject if facts else "",
                "file": f"{folder}/{path.name}",
                "label": label,
                "age": facts.get("face_age", ""),
                "gender": facts.get("face_sex", facts.get("face_gender", "")),
                "ethnicity": facts.get("face_eth", ""),
            }


def _number_of(text: str) -> str:
    """A person's number as pictures have it, three digits."""
    return text.strip().upper().removeprefix("X").zfill(3)


def _csv(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    table = read_table(read_text_file(path), needed)
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise InputError(f"{path.name}: column '{missing[0]}' is missing; needed: {', '.join(needed)}")
    faulty = next((row for row in table.rows if row.fault is not None), None)
    if faulty is not None:
        raise InputError(f"{path.name} line {faulty.line}: {faulty.fault}")
    return [row.values for row in table.rows]
