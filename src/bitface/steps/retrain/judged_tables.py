"""Tables that the data gate's suites read beside index, subjects, consents, quality: labels, demographics, parts, what is new."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

import pandas as pd

from bitface.dataset.files import write_atomically
from bitface.documents import Document
from bitface.errors import IntegrityError
from bitface.faces.records import SLICE_ATTRIBUTES, Sample
from bitface.gate.unknown import UNKNOWN
from bitface.steps.retrain.doubts import Doubts
from bitface.steps.retrain.plan import Run

SCHEMA_NAME: Final = "schema.json"
Names = Mapping[str, Sequence[str]]


def judged_tables(run: Run, doubts: Doubts) -> dict[str, pd.DataFrame]:
    """The tables by name; also keeps what the schema of this version is, for the next.

    Raises:
        IntegrityError: what an earlier run kept is broken.
    """
    names = names_of(run)
    earlier = _earlier_names(run)
    _keep(run, names)
    return {
        "labels": _labels(run.members.samples, doubts),
        "demographics": _demographics(run),
        "splits": _splits(run.members.samples, doubts),
        "schema": schema_table(names, names if earlier is None else earlier),
    }


def schema_sentences(schema: pd.DataFrame) -> tuple[str, ...]:
    """What is new and what is gone since the last version, in words."""
    return tuple(
        f"since the last version: {part} '{name}' is {state}"
        for part, name, state in schema.itertuples(index=False)
        if state != "same"
    )


def names_of(run: Run) -> Names:
    """Columns and words that a version uses, by part; nothing that names a person."""
    samples, slices = run.members.samples, run.slices().values()
    columns: dict[str, set[str]] = {
        "label": {sample.label for sample in samples},
        "split": {sample.split for sample in samples},
        "kind": {sample.kind for sample in samples},
        "source": {sample.source for sample in samples},
        "licence": {sample.licence_id for sample in samples},
    }
    words = {attribute: {values[attribute] for values in slices} for attribute in SLICE_ATTRIBUTES}
    own: dict[str, set[str]] = {"column": {field.name for field in fields(Sample)}}
    return {part: sorted(found) for part, found in {**own, **columns, **words}.items()}


def schema_table(now: Names, before: Names) -> pd.DataFrame:
    """A row for each name that one of two versions has: `same`, `new` or `gone`."""
    rows = []
    for part in now:
        there, was = set(now[part]), set(before.get(part, ()))
        states = {name: "same" if name in was else "new" for name in there} | dict.fromkeys(was - there, "gone")
        rows += [{"part": part, "name": name, "state": state} for name, state in sorted(states.items())]
    return pd.DataFrame(rows, columns=["part", "name", "state"])


def _labels(samples: Sequence[Sample], doubts: Doubts) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [sample.sample_id for sample in samples],
            "label": [sample.label for sample in samples],
            "contradicting": [doubts.contradicting.get(sample.sample_id, 0) for sample in samples],
        }
    )


def _demographics(run: Run) -> pd.DataFrame:
    people, gate = list(run.slices().values()), run.params.gate
    rows = []
    for attribute in SLICE_ATTRIBUTES:
        values = [of[attribute] for of in people]
        required = attribute in gate.required_attributes
        rows.append(
            {
                "attribute": attribute,
                "people": len(values),
                "unknown_share": values.count(UNKNOWN) / max(1, len(values)),
                # What no cell needs may be left out.
                "unknown_share_max": gate.unknown_share_max if required else 1.0,
                "values_without_people": len(set(gate.required_values.get(attribute, ())) - set(values)),
            }
        )
    return pd.DataFrame(rows)


def _splits(samples: Sequence[Sample], doubts: Doubts) -> pd.DataFrame:
    parts: dict[str, set[str]] = {}
    for sample in samples:
        parts.setdefault(sample.person, set()).add(sample.split)
    rows = [
        {
            "person": person,
            "split": min(found),
            "splits": len(found),
            "pictures_in_another_split": doubts.in_another_split.get(person, 0),
            "pictures_of_another_person": doubts.of_another_person.get(person, 0),
        }
        for person, found in parts.items()
    ]
    columns = ["person", "split", "splits", "pictures_in_another_split", "pictures_of_another_person"]
    return pd.DataFrame(rows, columns=columns)


def _earlier_names(run: Run) -> Names | None:
    """Those of the latest version before this one that was judged here; None for the first."""
    kept = [_read(path) for path in sorted(run.folder.parent.glob(f"*/{SCHEMA_NAME}"))]
    others = [one for one in kept if one["dataset"] != run.dataset.manifest_sha256]
    names: Names | None = max(others, key=lambda one: str(one["at"]))["names"] if others else None
    return names


def _read(path: Path) -> Document:
    try:
        found: Document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise IntegrityError(f"{path.parent.name}/{path.name} of an earlier run is broken; delete that file") from error
    return found


def _keep(run: Run, names: Names) -> None:
    document = {"dataset": run.dataset.manifest_sha256, "at": run.started_at.isoformat(), "names": names}
    write_atomically(run.folder / SCHEMA_NAME, (json.dumps(document, indent=1) + "\n").encode())
