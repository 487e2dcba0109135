"""Times the one-bit networks against their float twins in every runtime at hand: interleaved, one face, one thread."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from bitface.binarize.cost import Cost
from bitface.dataset.shards import read_shard
from bitface.errors import InputError
from bitface.evaluation.latency import Latency, Ratio, interleaved_ms, latency_of, ratio_of
from bitface.evaluation.machine import Processor, processor
from bitface.faces.features import FaceValues
from bitface.faces.records import Sample
from bitface.faces.seen import SeenFace
from bitface.models.face.face_codes import encode_crops
from bitface.params import BenchParams, TrainingParams
from bitface.ports import ExportBundle, LoadRuntime, Report, Rivals, Runtime
from bitface.steps.retrain.featurise import Featuriser
from bitface.steps.studies.bench_subjects import Faces, Subject, as_trained, make_subjects, pair_of, random_faces

if TYPE_CHECKING:
    from bitface.models.face.face_clips import FaceClipNet

RIVALS: Final[Mapping[str, tuple[str, str]]] = {
    "torch": ("torch eager", "fp32"),
    "torch_channels_last": ("torch channels_last", "fp32"),
    "fp32": ("onnxruntime", "fp32"),
    "int8": ("onnxruntime", "int8"),
    "openvino_fp32": ("openvino", "fp32"),
    "openvino_bf16": ("openvino", "bf16"),
    "openvino_int8": ("openvino", "int8"),
}
"""What `--against` may name: runtime and precision."""
READOUT: Final = ("affine", "heads", "lstm", "clip_heads")
"""What every network has behind its counts."""
OURS: Final = ("bitface", "one-bit")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network in one runtime. `size_bytes` on disk; `ratio` is its time over our one-bit's, None for ours.

    `int8_error`: how far int8 answers are off the float twin's, as a share of their deviation; None of other precisions.
    """

    network: str
    runtime: str
    precision: str
    latency: Latency
    size_bytes: int
    ratio: Ratio | None
    int8_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A promise of the project and what was measured of it here; `holds` None where it is not made for this machine.

    Of speed the lower of two figures is `found`: the median over rounds, and that of the quietest round of each.
    """

    words: str
    asked: float
    found: float
    holds: bool | None


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What was measured. `skipped` names what a runtime could not take; `calibrated_on` whose faces calibrated int8 rivals;
    `costs` what the one-bit networks store and multiply, heads included.

    `whole` are times of one picture of the dataset, see `time_end_to_end`; empty without a dataset.
    """

    processor: Processor
    rounds: int
    calls: int
    rows: tuple[Row, ...]
    skipped: tuple[str, ...]
    costs: Mapping[str, Cost]
    claims: tuple[Claim, ...]
    calibrated_on: str
    whole: Mapping[str, Latency]


def chosen_rivals(against: str | None) -> tuple[str, ...]:
    """The rivals that a comma-separated list names, all where None.

    Raises:
        InputError: one is unknown.
    """
    names = tuple(RIVALS) if against is None else tuple(word.strip() for word in against.split(",") if word.strip())
    unknown = [name for name in names if name not in RIVALS] if names else ["nothing"]
    if unknown:
        raise InputError(f"unknown runtime '{unknown[0]}'; --against takes {', '.join(RIVALS)}")
    return names


@dataclass(frozen=True, kw_only=True)
class BenchTools:
    """What a benchmark times with: the other runtimes, and how our bundle is written and loaded."""

    rivals: Rivals
    export: ExportBundle
    load: LoadRuntime
    report: Report


def bench_networks(
    training: TrainingParams,
    params: BenchParams,
    seed: int,
    against: Sequence[str],
    tools: BenchTools,
    faces: Faces | None,
    whole: Mapping[str, Latency],
) -> Bench:
    """Times every pair in every runtime that is asked for.

    Args:
        training: sizes of the networks, the section `training`.
        params: the section `bench`.
        seed: of weights and, without `faces`, of random calibration pictures.
        against: names of RIVALS.
        tools: the runtimes.
        faces: to calibrate int8 rivals on.
        whole: from `time_end_to_end`, or empty.

    Raises:
        InputError: a rival's package is not installed.
    """
    from bitface.models.counting import cost_of

    subjects = tuple(make_subjects(training, params, seed))
    faces = faces or random_faces(seed, params.calibration_faces)
    rows: list[Row] = []
    skipped: list[str] = []
    costs = {subject.name: cost_of(subject.one_bit) for subject in subjects}
    with TemporaryDirectory() as place, one_thread():
        for done, subject in enumerate(subjects):
            tools.report("timing networks", done, len(subjects))
            found = _rows(subject, Path(place) / str(done), against, tools, faces, params)
            rows += found
            missing = {RIVALS[name] for name in against} - {(row.runtime, row.precision) for row in found}
            skipped += [f"{' '.join(rival)} cannot take {subject.name}" for rival in sorted(missing)]
    tools.report("timing networks", len(subjects), len(subjects))
    here = processor()
    return Bench(
        processor=here,
        rounds=params.rounds,
        calls=params.calls,
        rows=tuple(rows),
        skipped=tuple(skipped),
        costs=costs,
        claims=claims_of(rows, here, params),
        calibrated_on=faces.whose,
        whole=whole,
    )


def time_end_to_end(
    sample: Sample,
    tools: Featuriser,
    training: TrainingParams,
    params: BenchParams,
    seed: int,
    export: ExportBundle,
    load: LoadRuntime,
) -> dict[str, Latency]:
    """The landmark detector alone on a sample's first picture, and with the one-bit landmark net behind it."""
    sight = tools.sight
    shard = read_shard(sight.data, sample.person, tools.keys.key_of(sample.person))
    picture = sight.decode(shard.samples[sample.sample_id])[0]
    one_bit, _ = pair_of(training.model_copy(update={"architecture": "landmark_net", "variant": "T-EMO"}), seed)
    with TemporaryDirectory() as place, sight.landmarker() as landmarker, one_thread():
        export(as_trained(one_bit), Path(place))
        runtime, length = load(Path(place)), np.ones(1, dtype=np.int64)

        def detect() -> Sequence[SeenFace]:
            return landmarker.see_all(picture, sight.params.features)

        def answer() -> object:
            return [runtime.scores(face.column(runtime.reads)[None, None], length) for face in detect()]

        runs: dict[str, Callable[[], object]] = {
            "detector (MediaPipe, its own threads)": detect,
            "detector and one-bit landmark_net": answer,
        }
        taken = interleaved_ms(runs, max(4, params.rounds // 4), params.warmup // 4)
    return {name: latency_of(times) for name, times in taken.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch held to one thread, as every other runtime is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def claims_of(rows: Sequence[Row], here: Processor, params: BenchParams) -> tuple[Claim, ...]:
    """The promises that these rows can decide; those of speed depend on how the processor counts bits."""
    backbone = [row for row in rows if "backbone" in row.network]
    net = [row for row in rows if row.network == f"face_net {params.channels}"]
    found = [
        _speed_claim(backbone, RIVALS["torch"], (params.faster_than_torch, params.faster_than_torch_avx2), here),
        _speed_claim(backbone, RIVALS["int8"], (params.faster_than_int8, params.faster_than_int8_avx2), here),
        _size_claim("backbone", backbone, params.smaller_backbone),
        _size_claim("whole bundle", net, params.smaller_bundle),
    ]
    return tuple(claim for claim in found if claim is not None)


def _speed_claim(
    rows: Sequence[Row], rival: tuple[str, str], limits: tuple[float, float], here: Processor
) -> Claim | None:
    """`limits`: with AVX-512 VPOPCNTDQ, and with AVX2 alone."""
    row = next((row for row in rows if (row.runtime, row.precision) == rival), None)
    if row is None or row.ratio is None:
        return None
    asked = limits[0] if here.counts_bits_in_vectors else limits[1]
    found = row.ratio.cautious
    holds = found >= asked if here.has_avx2 else None
    return Claim(words=f"backbone faster than {' '.join(rival)}", asked=asked, found=found, holds=holds)


def _size_claim(what: str, rows: Sequence[Row], asked: float) -> Claim | None:
    ours = next((row for row in rows if (row.runtime, row.precision) == OURS), None)
    floats = next((row for row in rows if row.precision == "fp32"), None)
    if ours is None or floats is None:
        return None
    found = floats.size_bytes / ours.size_bytes
    return Claim(words=f"{what} smaller than its fp32 twin", asked=asked, found=found, holds=found >= asked)


def _rows(
    subject: Subject,
    place: Path,
    against: Sequence[str],
    tools: BenchTools,
    faces: Faces,
    params: BenchParams,
) -> list[Row]:
    """Ours first, then the rivals in the order of `against`."""
    place.mkdir()
    bundle = place / "bundle"
    tools.export(as_trained(subject.one_bit), bundle)
    ours, size = _our_run(subject, tools.load(bundle), faces), _our_bytes(bundle, subject.is_backbone)
    runs: dict[tuple[str, str], Callable[[], object]] = {OURS: ours}
    sizes = {OURS: size}
    wanted = [RIVALS[name] for name in against]
    files = _exported(subject, place, wanted, tools.rivals, faces, params)
    for rival in wanted:
        run, sizes[rival] = _rival(subject, rival, files, tools.rivals, faces)
        if run is not None:
            runs[rival] = run
    times = interleaved_ms(
        {"/".join(key): run for key, run in runs.items()}, params.rounds, params.warmup, calls=params.calls
    )
    by_key = {key: times["/".join(key)] for key in runs}
    return [
        Row(
            network=subject.name,
            runtime=key[0],
            precision=key[1],
            latency=latency_of(taken),
            size_bytes=sizes[key],
            ratio=None if key == OURS else ratio_of(taken, by_key[OURS]),
            int8_error=files.int8_error if key[1] == "int8" else None,
        )
        for key, taken in by_key.items()
    ]


def _our_run(subject: Subject, runtime: Runtime, faces: Faces) -> Callable[[], object]:
    if subject.is_backbone:
        codes = encode_crops(faces.crops[:1])
        return lambda: runtime.counts_of_codes(codes)
    still, length = _still(subject, faces), np.ones(1, dtype=np.int64)
    return lambda: runtime.scores(still, length)


def _our_bytes(bundle: Path, is_backbone: bool) -> int:
    """Of a backbone the graph and its weights, heads and self-test aside."""
    if is_backbone:
        return sum((bundle / name).stat().st_size for name in ("model.xml", "model.bin"))
    return sum(path.stat().st_size for path in bundle.iterdir())


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The twin for other runtimes. `plain` and `int8` are there where a rival reads them."""

    plain: Path
    int8: Path
    int8_error: float | None


def _exported(
    subject: Subject,
    place: Path,
    wanted: Sequence[tuple[str, str]],
    rivals: Rivals,
    faces: Faces,
    params: BenchParams,
) -> _Files:
    plain, int8, error = place / "twin.onnx", place / "twin.int8.onnx", None
    if any(not runtime.startswith("torch") for runtime, _ in wanted):
        rivals.export(_module(subject), _rival_input(subject, faces, 0), plain)
    if any(precision == "int8" for _, precision in wanted):
        count = min(len(faces.crops), params.calibration_faces)
        error = rivals.quantise(plain, [_rival_input(subject, faces, row) for row in range(count)], int8)
    return _Files(plain=plain, int8=int8, int8_error=error)


def _rival(
    subject: Subject, rival: tuple[str, str], files: _Files, rivals: Rivals, faces: Faces
) -> tuple[Callable[[], object] | None, int]:
    """A call of the rival, None where it cannot take the network, and its bytes on disk."""
    import torch

    runtime, precision = rival
    face = _rival_input(subject, faces, 0)
    if runtime.startswith("torch"):
        module = _module(subject)
        if "channels_last" in runtime:
            module.to(memory_format=torch.channels_last)
        return _torch_run(module, face), _float_bytes(subject)
    path = files.int8 if precision == "int8" else files.plain
    return rivals.runner(runtime, precision, path, face), path.stat().st_size


def _module(subject: Subject) -> Any:
    """A copy of the twin that reads one face of a fixed shape."""
    from bitface.models.stills import StillBackbone, StillNet

    twin = copy.deepcopy(subject.twin)
    return StillBackbone(cast("FaceClipNet", twin)) if subject.is_backbone else StillNet(twin)


def _float_bytes(subject: Subject) -> int:
    """Of the twin's parameters; of a backbone those before the readout of clips."""
    return 4 * sum(
        parameter.numel()
        for name, parameter in subject.twin.named_parameters()
        if not (subject.is_backbone and name.split(".")[0] in READOUT)
    )


def _torch_run(module: Any, face: FaceValues) -> Callable[[], object]:
    import torch

    tensor = torch.from_numpy(face)

    def run() -> object:
        with torch.inference_mode():
            return module(tensor)

    return run


def _still(subject: Subject, faces: Faces, row: int = 0) -> FaceValues:
    column = faces.crops if subject.one_bit.reads == "crops" else faces.landmarks
    return column[row : row + 1]


def _rival_input(subject: Subject, faces: Faces, row: int) -> NDArray[np.float32]:
    """Float32 throughout: other runtimes have no uint8 convolution to begin with."""
    if subject.is_backbone:
        return encode_crops(faces.crops[row : row + 1])[:, 0].astype(np.float32)
    return _still(subject, faces, row).astype(np.float32)
