"""`bitface explain`: a self-contained page of what each region of each face adds to each emotion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, writable_file


def explain(
    path: Annotated[Path, typer.Argument(help="An image, a video, or a folder with the frames of one clip.")],
    purpose: Annotated[str, typer.Option(help="evaluate, fairness_test, infer, demo or benchmark.")],
    context: Annotated[str, typer.Option(help="research, medical, safety, consumer, workplace or education.")],
    out: Annotated[Path, typer.Option(callback=writable_file, help="HTML page to write.")] = Path("explanation.html"),
    model: Annotated[
        str | None,
        typer.Option(
            help="champion, demo, challenger or NAME/VERSION. Default: champion; for a demo without a champion, demo."
        ),
    ] = None,
    faces: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Most faces to explain per picture. Default: the number in params.yaml."),
    ] = None,
    show_face: Annotated[
        bool,
        typer.Option(
            "--show-face",
            help="Include the face on the page; you are responsible for the rights to show it. Refused if the picture, or one it was "
            "re-saved or cropped from, belongs to a person on record who was erased or does not currently allow publish_image. "
            "This compares pictures, not people: a different picture of the same person is not recognised.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Explain which regions of a face a verified model relies on, if policy allows the use.

    Exit 2 if a frame of a folder could not be read; the page covers all others.
    """
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.answers.explain_faces import explain_picture, picture_document, picture_text
    from bitface.steps.answers.explanation_page import write_page
    from bitface.steps.answers.frames import check_no_frame_lost
    from bitface.steps.people.inputs import check_spares_inputs, list_inputs, naming_them_first
    from bitface.usecases.answers import face_explainer, frames_to_show
    from bitface.usecases.models import open_runtime, status_of

    tools = open_tools()
    frames = frames_to_show(tools, path, purpose, context) if show_face else None
    with naming_them_first(list_inputs([path])):
        runtime = open_runtime(tools, model, purpose, context)
    status = status_of(tools, runtime)
    check_spares_inputs(out, [path])
    with tools.progress as report:
        found = explain_picture(path, face_explainer(tools, runtime, faces), report, frames)
    draw, mesh, pages = tools.ports.pictures()
    write_page(found, status.line_today, draw, mesh, pages, out, show_face=show_face)
    emit(picture_document(found, status), f"{picture_text(found, status)}\n\n  page  {out}", as_json)
    check_no_frame_lost(found.lost)
