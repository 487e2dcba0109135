"""Draws docs/at-a-glance.png from a finished retrain: what the model looks at, what one bit costs, and what the gate decided.

Run it with the project's Python: `.venv/bin/python docs/draw_readme_picture.py .bitface docs/at-a-glance.png`. The first word is a home,
whose champion (else demo) is drawn, or the folder of one of its runs. Every figure is read from what that run left; the face is rendered,
never read: no dataset is opened, so that a real person cannot come into the picture.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from readme_panels import Answer, Facts, draw_picture

from bitface.bootstrap.opening import open_tools
from bitface.errors import BitfaceError, InputError
from bitface.faces.synthetic.synthetic_people import plan_people
from bitface.steps.answers.explain_faces import FaceExplained, explain_picture
from bitface.steps.answers.frames import Frames
from bitface.steps.versions.gate import check_judged, recorded_decision
from bitface.steps.versions.model_choice import choose_model, status_of_run
from bitface.usecases.answers import face_explainer
from bitface.usecases.models import open_runtime
from bitface.usecases.tools import Tools

EMOTION, SITTER, FACE_PX = "happiness", 25, 700
"""Whom the picture shows: that person of the plan's gate people, with that expression, large enough to be looked at."""


def read_facts(place: Path) -> Facts:
    """What the run in a folder left, or the latest run of the version that a home serves."""
    is_run = place.parent.name == "runs"
    os.environ["BITFACE_HOME"] = str(place.parents[1] if is_run else place)
    tools = open_tools(quiet=True)
    with tools.ledger as ledger:
        run = place.name if is_run else ledger.runs_of(choose_model(None, "demo", ledger))[0].run_id
        check_judged(run, tools.workspace.runs, ledger)
        status, decision = status_of_run(run, ledger), recorded_decision(run, tools.workspace.runs, ledger)
        entry = ledger.run(run)
    if status is None or entry is None:
        raise InputError(f"run {run} registered no version, so there is nothing to draw; retrain, or name another run")
    summary = json.loads((tools.workspace.runs / run / "summary.json").read_text(encoding="utf-8"))
    answer = read_answer(tools, status.reference)
    return Facts(summary=summary, cells=decision["cells"], status=status, commit=entry.code_commit, answer=answer)


def read_answer(tools: Tools, reference: str) -> Answer:
    """Renders the sitter, and asks a version, through the same door as `bitface explain`, why it says what it says."""
    picture = rendered(tools)
    make, _ = tools.ports.landmarker()
    with make(faces_max=1) as landmarker:
        seen = landmarker.see_all(picture, tools.params.features)[0]
    runtime = open_runtime(tools, reference, "demo", "research")
    explainer = face_explainer(tools, runtime, faces=1)
    (face,) = explain_picture(Path("sitter.png"), explainer, lambda *_: None, Frames(pictures=(picture,))).faces
    if EMOTION not in runtime.emotions:
        raise InputError(f"{reference} reads {', '.join(runtime.emotions)}, and not {EMOTION}; name another run")
    row = runtime.emotions.index(EMOTION)
    values = face.exact.values[row].tolist()
    return Answer(
        emotion=EMOTION,
        picture=picture,
        points=seen.landmarks[:, :2],
        shares=shares_of(face, row),
        probability=float(face.probabilities[row]),
        regions=sorted(zip(face.exact.regions, values, strict=True), key=lambda one: -abs(one[1])),
        start=float(face.exact.at_baseline[row]),
        end=float(face.exact.at_face[row]),
    )


def rendered(tools: Tools) -> NDArray[np.uint8]:
    """A still of the synthetic set, drawn larger: uint8 (FACE_PX, FACE_PX, 3)."""
    params = tools.params.synthetic
    gate = [one for one in plan_people(params, tools.params.seed) if one.role == "gate"]
    large = params.model_copy(update={"image_px": FACE_PX})
    drawn = tools.ports.render(large, tools.params.seed, 1, only={gate[SITTER % len(gate)].record.person})
    ((_, samples),) = list(drawn)
    return next(one.frames[0] for one in samples if one.label == EMOTION)


def shares_of(face: FaceExplained, row: int) -> NDArray[np.float64]:
    """Percent of an emotion's attribution at each landmark, float64 (478,)."""
    if face.summary is None:
        raise InputError("the run's training graph is gone from home/stages, without which there is no map; retrain")
    absolute = face.summary.mean_absolute[row]
    return np.asarray(100 * absolute / absolute.sum())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        draw_picture(read_facts(Path(sys.argv[1]).resolve()), Path(sys.argv[2]))
    except BitfaceError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from error
