"""A verified bundle that answers: the integer trunk by OpenVINO, the small float head by numpy, whatever the network reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.openvino_runtime.compiler import ROWS_AT_ONCE
from bitface.adapters.openvino_runtime.exported_network import Head, Trunk
from bitface.adapters.openvino_runtime.networks import NETWORKS
from bitface.errors import InputError, IntegrityError
from bitface.faces.features import LANDMARKS
from bitface.models import bundle_spec
from bitface.models.bundle_spec import FACES, HEADS, SELFTEST, SPEC, BundleSpec
from bitface.models.face.training_faces import TrainingFaces
from bitface.models.landmark.landmark_codes import without_repeats


class OneBitRuntime:
    """A verified bundle, ready to score. One thread at a time: it writes its inputs into buffers of its own."""

    def __init__(
        self,
        *,
        spec: BundleSpec,
        trunk: Trunk,
        head: Head,
        digest: str,
        label: tuple[str, str],
        faces: TrainingFaces | None,
    ) -> None:
        self._spec, self._trunk, self._head = spec, trunk, head
        self.reads = trunk.reads
        of_all = LANDMARKS if spec.landmarks is None else len(spec.landmarks)
        self.landmarks = 0 if self.reads == "crops" else of_all
        self.digest = digest
        self.faces = faces
        self.name, self.version = label
        self.emotions = spec.emotions
        self.calibrator = spec.calibration
        self.thresholds = self.calibrator.thresholds(np.array(spec.thresholds, np.float64))

    @classmethod
    def load(
        cls, folder: Path, threads: int = 1, name: str = "bundle", version: str = "0", registered: str | None = None
    ) -> Self:
        """A runtime of the bundle in `folder`; `name` and `version` label its answers, and `registered` is the digest that it must have.

        Raises:
            IntegrityError: it is another bundle, a byte is not the recorded one, an array or the graph is not what the spec says, or the
                self-test answers other counts, or logits further off than the spec allows.
        """
        files, digest = bundle_spec.read_verified(folder)
        if registered not in (None, digest):
            raise IntegrityError(
                f"the bundle of {name}/{version} differs from the one registered in the ledger; restore it or retrain"
            )
        spec = bundle_spec.parse_spec(files[SPEC])
        heads = bundle_spec.parse_arrays(HEADS, files[HEADS], spec)
        selftest = bundle_spec.parse_arrays(SELFTEST, files[SELFTEST], spec)
        if spec.network not in NETWORKS:
            raise IntegrityError(f"{SPEC} names the network '{spec.network}'; this version knows {', '.join(NETWORKS)}")
        try:
            trunk, head = NETWORKS[spec.network].load(files, spec, heads, threads)
            faces = (
                TrainingFaces.of_arrays(bundle_spec.parse_arrays(FACES, files[FACES], spec)) if FACES in files else None
            )
        except (TypeError, KeyError, ValueError, InputError) as error:
            raise IntegrityError(f"{HEADS} is not the head of a {spec.network}; export the model again") from error
        runtime = cls(spec=spec, trunk=trunk, head=head, digest=digest, label=(name, version), faces=faces)
        runtime._check(selftest)
        return runtime

    def scores(self, inputs: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Calibrated one-vs-rest probabilities, float64 (N, E), which `thresholds` are of too.

        Args:
            inputs: the column that `reads` names: normalised landmarks float32 (N, T, 478, 3), or crops uint8
                (N, T, 64, 64).
            lengths: int64 (N,), true frames, 1 to T.

        Raises:
            InputError: another shape, a length outside 1..T, or a landmark that is not a number.
        """
        return self.calibrator.probabilities(self.logits(inputs, lengths))

    def sets(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which emotions each face may show, bool (N, E), of `scores`; `calibrator.abstains` says which sets mean abstention."""
        return self.calibrator.sets(scores)

    def logits(self, inputs: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """The network's logits before calibration, float32 (N, E)."""
        logits = np.empty((len(inputs), len(self.emotions)), np.float32)

        def take(rows: slice | NDArray[np.int64], counts: NDArray[np.float32]) -> None:
            logits[rows] = self._head.logits(counts)

        self._run(inputs, lengths, take)
        return logits

    def counts_of_codes(self, codes: NDArray[np.int8]) -> NDArray[np.float32]:
        """The integer part alone, of codes of clips of one length: what `bench` times."""
        return self._trunk.counts(codes)

    def counts(self, inputs: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """The integer part, int32 (N, T', ...), 0 beyond each clip: bit for bit what the training graph counts.

        T' is the largest number of frames left after those that repeat the one before are dropped.
        """
        parts: list[tuple[slice | NDArray[np.int64], NDArray[np.int32]]] = []

        def take(rows: slice | NDArray[np.int64], found: NDArray[np.float32]) -> None:
            parts.append((rows, found.astype(np.int32) * np.asarray(self._head.orientation, np.int32)))

        self._run(inputs, lengths, take)
        longest = max((found.shape[1] for _, found in parts), default=0)
        counts = np.zeros((len(inputs), longest, *(parts[0][1].shape[2:] if parts else ())), np.int32)
        for rows, found in parts:
            counts[rows, : found.shape[1]] = found
        return counts

    def _run(
        self,
        inputs: NDArray[Any],
        lengths: NDArray[np.int64],
        take: Callable[[slice | NDArray[np.int64], NDArray[np.float32]], None],
    ) -> None:
        codes = self._trunk.codes(inputs)
        picks, kept = without_repeats(codes.reshape(*codes.shape[:2], int(np.prod(codes.shape[2:]))), lengths)
        if len(codes) == 1:
            take(slice(0, 1), self._trunk.counts(codes[:, picks[0]]))
            return
        for frames in np.unique(kept):
            of_length = np.flatnonzero(kept == frames)
            for start in range(0, len(of_length), ROWS_AT_ONCE):
                rows = of_length[start : start + ROWS_AT_ONCE]
                take(rows, self._trunk.counts(codes[rows[:, None], picks[rows, :frames]]))

    def _check(self, selftest: bundle_spec.Arrays) -> None:
        inputs, lengths = selftest[self.reads], selftest["lengths"]
        if not np.array_equal(self.counts(inputs, lengths), selftest["counts"]):
            raise IntegrityError("the self-test gives different counts than in training; check the OpenVINO version")
        error = float(np.abs(self.logits(inputs, lengths) - selftest["logits"]).max())
        if not error <= self._spec.logit_tolerance:
            raise IntegrityError(
                f"the self-test's logits are off by {error:.1e}, more than {self._spec.logit_tolerance:.0e}; "
                "check the OpenVINO version"
            )
