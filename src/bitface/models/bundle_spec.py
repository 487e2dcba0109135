"""What a model bundle consists of, and the checks between its bytes and their use: digests, sizes, names, shapes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from bitface.counted_words import counted
from bitface.errors import InputError, IntegrityError
from bitface.models.calibrator import Calibrator, calibrator_of

FORMAT: Final = 3
"""1 and 2 had heads that read an LSTM for stills too; none was released, and they are refused."""
GRAPH: Final = "model.xml"
WEIGHTS: Final = "model.bin"
HEADS: Final = "heads.safetensors"
SPEC: Final = "spec.json"
SELFTEST: Final = "selftest.safetensors"
FACES: Final = "training_faces.safetensors"
"""What explanations compare with; not there where the training people are too few for means of them to be nobody's face."""
FILES: Final = (GRAPH, WEIGHTS, HEADS, SPEC, SELFTEST)
FILES_OF_A_SEED: Final = (HEADS, SPEC, SELFTEST)
"""What a bundle of random convolutions consists of: they are made again from the seed in its spec."""
DIGESTS: Final = "digests.json"
_FILE_BYTES_MAX: Final = 64 * 2**20
_HEADER_BYTES_MAX: Final = 64 * 2**10
_DTYPES: Final = {"F32": "float32", "I64": "int64", "I32": "int32", "I8": "int8", "U8": "uint8"}

Arrays = dict[str, NDArray[Any]]
Files = Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class BundleSpec:
    """`spec.json`. `network`: the architecture, `sizes` its whole-numbered sizes by name; `arrays`: per safetensors file,
    per name, dtype and shape; `logit_tolerance`: of the self-test. `thresholds` are those of scores before `calibration`.
    `landmarks`: those that are read, ascending; None for all, and for a network of pixels.
    """

    format: int
    variant: str
    precision: str
    emotions: tuple[str, ...]
    thresholds: tuple[float, ...]
    network: str
    sizes: Mapping[str, int]
    arrays: Mapping[str, Mapping[str, tuple[str, tuple[int, ...]]]]
    logit_tolerance: float
    openvino: str
    calibration: Calibrator
    landmarks: tuple[int, ...] | None = None

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical(asdict(self))


def canonical(document: object) -> bytes:
    """JSON with sorted keys and one ending newline: the same document is always the same bytes."""
    return (json.dumps(document, sort_keys=True, indent=2, allow_nan=False) + "\n").encode()


def digests_of(files: Mapping[str, bytes]) -> bytes:
    """The bytes of `digests.json`: the SHA-256 of each file by name."""
    return canonical({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


def read_verified(folder: Path) -> tuple[dict[str, bytes], str]:
    """The bytes of every file of a bundle, once they match `digests.json`, and the SHA-256 of that file itself.

    The bytes are read once and used from memory, so what was checked is what is loaded.

    Raises:
        IntegrityError: a file is missing, too large, or not the one recorded.
    """
    recorded = _bounded(folder / DIGESTS)
    # Whichever it names, what is read must be exactly what it records.
    names = FILES if GRAPH.encode() in recorded else FILES_OF_A_SEED
    names = (*names, FACES) if FACES.encode() in recorded else names
    files = {name: _bounded(folder / name) for name in names}
    if digests_of(files) != recorded:
        raise IntegrityError(f"the bundle's files do not match {DIGESTS}; fetch the bundle again")
    return files, hashlib.sha256(recorded).hexdigest()


def parse_spec(content: bytes) -> BundleSpec:
    """The spec; raises IntegrityError when it is of another format or lacks a field."""
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            raise IntegrityError(f"bundle format {document['format']} is not {FORMAT}; export the model again")
        arrays = {
            file: {name: (str(dtype), tuple(map(int, shape))) for name, (dtype, shape) in entries.items()}
            for file, entries in document.pop("arrays").items()
        }
        emotions, thresholds = tuple(document.pop("emotions")), tuple(map(float, document.pop("thresholds")))
        calibration = calibrator_of(document.pop("calibration"))
        read = document.pop("landmarks", None)
        spec = BundleSpec(
            arrays=arrays,
            emotions=emotions,
            thresholds=thresholds,
            calibration=calibration,
            landmarks=None if read is None else tuple(map(int, read)),
            **document,
        )
    except IntegrityError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
        raise IntegrityError(f"{SPEC} cannot be read ({type(error).__name__}); export the model again") from error
    if len(spec.emotions) != len(spec.thresholds) or not spec.emotions:
        raise IntegrityError(
            f"{SPEC} has {len(spec.thresholds)} thresholds for {counted(len(spec.emotions), 'emotion')}"
        )
    if len(spec.emotions) != len(spec.calibration.slopes):
        raise IntegrityError(
            f"{SPEC} calibrates {len(spec.calibration.slopes)} of {counted(len(spec.emotions), 'emotion')}"
        )
    return spec


def described(arrays: Arrays) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape of each array, as the spec records them."""
    return {name: (str(array.dtype), tuple(array.shape)) for name, array in arrays.items()}


def parse_arrays(file: str, content: bytes, spec: BundleSpec) -> Arrays:
    """The arrays of a safetensors file, exactly those that the spec names, finite, of its dtypes and shapes.

    The header is judged before anything of its claimed size is made.

    Raises:
        IntegrityError: the header is too long or says something else than the spec, or a value is not finite.
    """
    length = int.from_bytes(content[:8], "little") if len(content) >= 8 else _HEADER_BYTES_MAX + 1
    if length > _HEADER_BYTES_MAX or 8 + length > len(content):
        raise IntegrityError(f"{file} claims a header of {length} bytes; at most {_HEADER_BYTES_MAX} are read")
    try:
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        claimed = {name: (_DTYPES[entry["dtype"]], tuple(entry["shape"])) for name, entry in header.items()}
        if claimed != spec.arrays.get(file):
            raise IntegrityError(f"arrays of {file} are not those that {SPEC} names; export the model again")
        arrays: Arrays = load(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise IntegrityError(f"{file} cannot be read ({type(error).__name__}); export the model again") from error
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise IntegrityError(f"{file} holds a value that is not finite; train the model again")
    return arrays


def _bounded(path: Path) -> bytes:
    try:
        # Not through a link, and without waiting for whoever would write into a pipe.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            content = stream.read(_FILE_BYTES_MAX + 1) if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else None
    except OSError:
        content = None
    if content is None:
        raise IntegrityError(f"the bundle is missing file '{path.name}'; fetch the bundle again")
    if len(content) > _FILE_BYTES_MAX:
        raise IntegrityError(f"'{path.name}' is larger than {_FILE_BYTES_MAX} bytes; it was not written by bitface")
    return content
