"""`bitface explain`: one picture or clip in; what each region of each face adds to each emotion out, as a page that stands alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, writable_file


def explain(
    path: Annotated[Path, typer.Argument(help="An image, a video, or a folder of the frames of a clip.")],
    purpose: Annotated[str, typer.Option(help="evaluate, fairness_test, infer, demo or benchmark.")],
    context: Annotated[str, typer.Option(help="research, medical, safety, consumer, workplace or education.")],
    out: Annotated[Path, typer.Option(callback=writable_file, help="The page to write.")] = Path("explanation.html"),
    model: Annotated[
        str | None,
        typer.Option(help="champion (the default; for a demo, while there is none, demo), challenger or NAME/VERSION."),
    ] = None,
    faces: Annotated[
        int | None, typer.Option(min=1, max=100, help="Faces of a picture to explain; params.yaml says how many else.")
    ] = None,
    show_face: Annotated[
        bool,
        typer.Option(
            "--show-face",
            help="Put the face itself on the page: you answer for whom it shows. Refused where the picture, or one that it was stored "
            "anew or trimmed from, is on record here of somebody who was erased or does not allow publish_image now. Known by "
            "pictures alone: somebody on record is not known on another one.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Says which regions of a face a verified model rests on, where policy allows it to read the face.

    Exit 2 where a frame of a folder could not be read: the page is made of all others.
    """
    from bitface.flows.wiring import face_explainer, frames_to_show, open_runtime, open_tools, pictures, status_of
    from bitface.steps.explain_faces import explain_picture, picture_document, picture_text
    from bitface.steps.explanation_page import write_page
    from bitface.steps.frames import check_no_frame_lost
    from bitface.steps.inputs import check_spares_inputs

    tools = open_tools()
    frames = frames_to_show(tools, path, purpose, context) if show_face else None
    runtime = open_runtime(tools, model, purpose, context)
    status = status_of(tools, runtime)
    check_spares_inputs(out, [path])
    with tools.progress as report:
        found = explain_picture(path, face_explainer(tools, runtime, faces), report, frames)
    draw, mesh, pages = pictures(tools.workspace)
    write_page(found, status.line_today, draw, mesh, pages, out, show_face=show_face)
    emit(picture_document(found, status), f"{picture_text(found, status)}\n\n  page  {out}", as_json)
    check_no_frame_lost(found.lost)
