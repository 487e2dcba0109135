"""Reads expressions off faces with a verified bundle: every face of every image, timed part by part."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bitface.dataset.files import write_atomically
from bitface.errors import InputError
from bitface.faces.seen import SeenFace
from bitface.params import FeatureParams
from bitface.ports import Landmarker, ReadImage, Report, Runtime
from bitface.steps.explain_faces import region_values, regions_document

Keep = Callable[[str, int, SeenFace], None]
"""Is told each face: the SHA-256 of its picture's file, its number there, and what was seen."""
SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")


def images_below(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The image files that the paths name, folders searched; raises InputError for a path that is not there, or none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.is_symlink()
            )
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"no image or folder '{path.name}'; name one that exists")
    if not found:
        raise InputError(f"no image found; use files that end in {', '.join(SUFFIXES)}")
    return tuple(found)


def predict_paths(
    paths: Iterable[Path],
    runtime: Runtime,
    open_landmarker: Callable[[], Landmarker],
    params: FeatureParams,
    read: ReadImage,
    report: Report,
    *,
    explain: bool = False,
    keep: Keep | None = None,
) -> list[dict[str, Any]]:
    """One record per image: its faces, largest first, each with one-vs-rest probabilities, set and timings in ms.

    `set` are the emotions that a face may show; where it is `abstained` it is no answer, being empty or too large. Of the
    model, `confidence` is what its sets promise (None: nothing) and `calibration` says who calibrated it. With `explain` each
    face has what its regions add, see `explain_faces.region_values`. `keep` is told each face.

    Raises:
        InputError: a path is missing or not an image; an image without a face is no error, its list of faces is empty.
    """
    images = images_below(paths)
    rows = []
    with open_landmarker() as landmarker:
        for done, path in enumerate(images, start=1):
            rows.append(_predict(path, runtime, landmarker, params, read, explain, keep))
            report("predicting", done, len(images))
    return rows


def _predict(
    path: Path,
    runtime: Runtime,
    landmarker: Landmarker,
    params: FeatureParams,
    read: ReadImage,
    explain: bool,
    keep: Keep | None,
) -> dict[str, Any]:
    start = time.perf_counter()
    image = read(path, path.name)
    decoded = time.perf_counter()
    seen = landmarker.see_all(image, params)
    found = time.perf_counter()
    if keep is not None and seen:
        picture = hashlib.sha256(path.read_bytes()).hexdigest()
        for number, face in enumerate(seen):
            keep(picture, number, face)
    shared = {"decode": _ms(start, decoded), "landmarks": _ms(decoded, found)}
    return {
        "path": str(path),
        "frame": 0,
        "faces": [_face(face, runtime, shared, explain) for face in seen],
        "model": {
            "name": runtime.name,
            "version": runtime.version,
            "digest": runtime.digest,
            "confidence": runtime.calibrator.confidence,
            "calibration": runtime.calibrator.remark,
        },
    }


def _face(face: SeenFace, runtime: Runtime, shared: dict[str, float], explain: bool) -> dict[str, Any]:
    start = time.perf_counter()
    scores = runtime.scores(face.column(runtime.reads)[None, None], np.ones(1, dtype=np.int64))
    read = time.perf_counter()
    regions = regions_document(region_values(runtime, face), runtime.emotions) if explain else {}
    spent = _ms(read, time.perf_counter()) if explain else 0.0
    timings = {**shared, "model": _ms(start, read), "explain": spent}
    sets = runtime.sets(scores)
    return {
        "box": [round(float(value), 1) for value in face.box],
        "emotions": {name: round(float(p), 6) for name, p in zip(runtime.emotions, scores[0], strict=True)},
        "set": [name for name, belongs in zip(runtime.emotions, sets[0], strict=True) if belongs],
        "abstained": bool(runtime.calibrator.abstains(sets)[0]),
        "timings_ms": timings,
        "regions": regions,
    }


def write_csv(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One row per face: path, face number, box, every emotion, the set, and `yes` where it is no answer, else `no`."""
    emotions = sorted({name for row in rows for face in row["faces"] for name in face["emotions"]})
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "face", "x0", "y0", "x1", "y1", *emotions, "set", "abstained"])
    for row in rows:
        for number, face in enumerate(row["faces"]):
            values = [face["emotions"].get(name, "") for name in emotions]
            said = (" ".join(face["set"]), "yes" if face["abstained"] else "no")
            writer.writerow([row["path"], number, *face["box"], *values, *said])
    write_atomically(path, text.getvalue().encode())


def predictions_text(rows: Sequence[dict[str, Any]]) -> str:
    """A line per face for a person."""
    lines = []
    for row in rows:
        name = Path(row["path"]).name
        if not row["faces"]:
            lines.append(f"{name}: no face found")
        for face in row["faces"]:
            ranked = sorted(face["emotions"].items(), key=lambda item: -item[1])[:3]
            best = ", ".join(f"{emotion} {p:.2f}" for emotion, p in ranked)
            lines.append(f"{name}: {_set_words(face)}  ({best}; {face['timings_ms']['model']:.2f} ms)")
    model = rows[0]["model"]
    reading = f"model {model['name']}/{model['version']}: a reading of a face, not of a mind; {_promise(model)}"
    return "\n".join([*lines, reading])


def _set_words(face: dict[str, Any]) -> str:
    words = " or ".join(face["set"])
    if not face["abstained"]:
        return words
    return f"no answer, it could be {words}" if words else "no answer, no emotion is likely enough"


def _promise(model: dict[str, Any]) -> str:
    if model["confidence"] is None:
        return str(model["calibration"])
    # The clauses that follow are for a reviewer; the JSON has them.
    who = model["calibration"].partition(";")[0]
    share = f"{model['confidence']:.0%} of the faces of each emotion"
    return f"a set is made to hold the true emotion of {share}, of people like those who calibrated ({who})"


def _ms(start: float, stop: float) -> float:
    return round(1000 * (stop - start), 3)
