"""A verified bundle that answers: int8 codes by numpy, the integer trunk by OpenVINO, the small float head by numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.openvino_runtime.graph import ROWS_AT_ONCE, Compiler
from bitface.errors import InputError, IntegrityError
from bitface.faces.features import LANDMARKS
from bitface.models import bundle_spec
from bitface.models.bundle_spec import GRAPH, HEADS, SELFTEST, SPEC, WEIGHTS, BundleSpec
from bitface.models.exported import FloatHead
from bitface.models.landmark_codes import CodeScale, encode, without_repeats


class OneBitRuntime:
    """A verified bundle, ready to score. One thread at a time: it writes its inputs into buffers of its own."""

    def __init__(
        self,
        *,
        spec: BundleSpec,
        head: FloatHead,
        scale: CodeScale,
        compiler: Compiler,
        digest: str,
        label: tuple[str, str],
    ) -> None:
        self._spec, self._head, self._scale, self._compiler = spec, head, scale, compiler
        self.digest = digest
        self.name, self.version = label
        self.emotions = spec.emotions
        self.thresholds = np.array(spec.thresholds, np.float64)

    @classmethod
    def load(cls, folder: Path, threads: int = 1, name: str = "bundle", version: str = "0") -> Self:
        """A runtime of the bundle in `folder`; `name` and `version` only label its answers.

        Raises:
            IntegrityError: a byte is not the recorded one, an array or the graph is not what the spec says, or the
                self-test answers other counts, or logits further off than the spec allows.
        """
        files, digest = bundle_spec.read_verified(folder)
        spec = bundle_spec.parse_spec(files[SPEC])
        heads = bundle_spec.parse_arrays(HEADS, files[HEADS], spec)
        selftest = bundle_spec.parse_arrays(SELFTEST, files[SELFTEST], spec)
        try:
            scale = CodeScale(centre=heads.pop("centre"), inverse_step=heads.pop("inverse_step"))
            head = FloatHead(**heads)
        except (TypeError, KeyError, InputError) as error:
            raise IntegrityError(f"{HEADS} is not the head of a landmark net; export the model again") from error
        compiler = Compiler(files[GRAPH], files[WEIGHTS], spec, threads)
        runtime = cls(spec=spec, head=head, scale=scale, compiler=compiler, digest=digest, label=(name, version))
        runtime._check(selftest)
        return runtime

    def scores(self, landmarks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """One-vs-rest probabilities, float64 (N, E), of normalised landmarks float32 (N, T, 478, 3).

        Raises:
            InputError: another shape, a length outside 1..T, or a landmark that is not a number.
        """
        return np.asarray(1 / (1 + np.exp(-self.logits(landmarks, lengths).astype(np.float64))), dtype=np.float64)

    def logits(self, landmarks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logits of `scores`, float32 (N, E)."""
        logits = np.empty((len(landmarks), len(self.emotions)), np.float32)

        def take(rows: slice | NDArray[np.int64], counts: NDArray[np.float32]) -> None:
            logits[rows] = self._head.logits(counts)

        self._run(landmarks, lengths, take)
        return logits

    def counts(self, landmarks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """The integer part, int32 (N, T', F), 0 beyond each clip: bit for bit what the training graph counts.

        T' is the largest number of frames left after those that repeat the one before are dropped.
        """
        counts = np.zeros((*landmarks.shape[:2], len(self._head.multiply)), np.int32)
        longest = 1

        def take(rows: slice | NDArray[np.int64], found: NDArray[np.float32]) -> None:
            nonlocal longest
            longest = max(longest, found.shape[1])
            counts[rows, : found.shape[1]] = found.astype(np.int32) * self._head.orientation

        self._run(landmarks, lengths, take)
        return counts[:, :longest]

    def _run(
        self,
        landmarks: NDArray[np.float32],
        lengths: NDArray[np.int64],
        take: Callable[[slice | NDArray[np.int64], NDArray[np.float32]], None],
    ) -> None:
        if landmarks.ndim != 4 or landmarks.shape[1] < 1 or landmarks.shape[2:] != (LANDMARKS, 3):
            raise InputError(f"landmarks of shape {landmarks.shape} are not (clips, frames, {LANDMARKS}, 3)")
        codes = encode(landmarks.astype(np.float32, copy=False), self._scale)
        picks, kept = without_repeats(codes, lengths)
        if len(codes) == 1:
            take(slice(0, 1), self._compiler.counts(codes[:, picks[0]]))
            return
        for frames in np.unique(kept):
            of_length = np.flatnonzero(kept == frames)
            for start in range(0, len(of_length), ROWS_AT_ONCE):
                rows = of_length[start : start + ROWS_AT_ONCE]
                take(rows, self._compiler.counts(codes[rows[:, None], picks[rows, :frames]]))

    def _check(self, selftest: bundle_spec.Arrays) -> None:
        landmarks, lengths = selftest["landmarks"], selftest["lengths"]
        if not np.array_equal(self.counts(landmarks, lengths), selftest["counts"]):
            raise IntegrityError("the self-test counts other integers than in training; check the OpenVINO version")
        error = float(np.abs(self.logits(landmarks, lengths) - selftest["logits"]).max())
        if not error <= self._spec.logit_tolerance:
            raise IntegrityError(
                f"the self-test's logits are off by {error:.1e}, more than {self._spec.logit_tolerance:.0e}; "
                "check the OpenVINO version"
            )
