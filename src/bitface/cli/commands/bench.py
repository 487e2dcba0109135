"""`bitface bench`: latency and size of the one-bit networks against other runtimes on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def bench(
    against: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: torch, torch_channels_last, fp32, int8 (ONNX Runtime), openvino_fp32, openvino_bf16, "
            "openvino_int8. Default: all."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure latency and size of the one-bit networks against their float twins: interleaved, one face, one thread."""
    from bitface.bootstrap.opening import ready

    ready(overrides=set_ or ())
    from bitface.bootstrap.jobs import open_job
    from bitface.usecases.studies import bench

    document, text = bench(against, open_job("default", set_ or (), "train", None))
    emit(document, text, as_json)
