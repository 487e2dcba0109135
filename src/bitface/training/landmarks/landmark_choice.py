"""Chooses which landmarks a net reads, by what training people show and nothing else.

Neighbouring landmarks move together, so that the first of a ranking say nearly the same thing many times. `greedy` therefore
asks of each next landmark what it adds to those already chosen:

    gain(g) = M_g' (G_gg + strength I)^-1 M_g,   then   G -= G_.g (G_gg + ..)^-1 G_g.,   M -= G_.g (G_gg + ..)^-1 M_g

where G is the Gram matrix of codes over stills and M their moments with the targets: the ridge regression of the targets grows
by one landmark, three coordinates at once, at a time (group orthogonal matching pursuit; Lozano, Swirszcz & Abe, 2009).
`stability` repeats it on random halves of the people and takes what is chosen most often (Meinshausen & Buehlmann, 2010).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.features import LANDMARKS
from bitface.params import LandmarkChoice

STRENGTH: Final = 0.01
"""Of the ridge, in mean variances of a coordinate."""
HALVES: Final = 20
_AXES: Final = 3


def choose_landmarks(
    choice: LandmarkChoice,
    count: int,
    stills: NDArray[np.float32],
    targets: NDArray[np.float32],
    persons: NDArray[np.str_],
    seed: int,
) -> tuple[int, ...]:
    """`count` landmarks in ascending order.

    Args:
        choice: `random`; `uniform`, spread over the mean face; `variance`, those that move most; `greedy`; `stability`.
        count: 1 to 478, and no more than are known of these people where that is fewer.
        stills: normalised landmarks of training people, float32 (n, 478, 3).
        targets: one-vs-rest, float32 (n, E).
        persons: whose each still is, (n,).
        seed: of `random` and `stability`.

    Raises:
        InputError: the count is out of range, or there is no still.
    """
    if not 1 <= count <= LANDMARKS:
        raise InputError(f"{counted(count, 'landmark')}; a face has {LANDMARKS}, use 1 to {LANDMARKS}")
    if not len(stills):
        raise InputError(
            "there are no stills of training people to choose landmarks by; add people who consent to training"
        )
    if count == LANDMARKS:
        return tuple(range(LANDMARKS))
    rng, known = np.random.default_rng(seed), known_landmarks(stills)
    if choice == "random":
        chosen = rng.permutation(known)[:count]
    elif choice == "uniform":
        chosen = known[spread_landmarks(stills.mean(axis=0, dtype=np.float64)[known], count)]
    elif choice == "variance":
        chosen = np.argsort(-stills.var(axis=0, dtype=np.float64).sum(axis=1), kind="stable")[:count]
    elif choice == "greedy":
        chosen = greedy_landmarks(*sums_of(stills, targets), count)
    else:
        chosen = stable_landmarks(stills, targets, persons, count, rng)
    return tuple(sorted(int(landmark) for landmark in chosen))


def known_landmarks(stills: NDArray[np.float32]) -> NDArray[np.int64]:
    """The landmarks that these people's points have, ascending; the others lie at 0 in every still (`faces.points`)."""
    return np.flatnonzero(stills.any(axis=(0, 2)))


def spread_landmarks(face: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Farthest-point sampling of a face (478, 3), from the landmark farthest from its centre on: int64 (count,), in order."""
    nearest = ((face - face.mean(axis=0)) ** 2).sum(axis=1)
    chosen = np.empty(count, dtype=np.int64)
    for position in range(count):
        chosen[position] = nearest.argmax()
        distance = ((face - face[chosen[position]]) ** 2).sum(axis=1)
        nearest = distance if position == 0 else np.minimum(nearest, distance)
    return chosen


def sums_of(
    stills: NDArray[np.float32], targets: NDArray[np.float32] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centred Gram matrix of coordinates in their standard deviations, float64 (1434, 1434), and moments (1434, E)."""
    flat = stills.reshape(len(stills), -1).astype(np.float64)
    flat = (flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-9)
    wanted = targets.astype(np.float64) - targets.mean(axis=0, dtype=np.float64)
    return flat.T @ flat / len(flat), flat.T @ wanted / len(flat)


def greedy_landmarks(gram: NDArray[np.float64], moments: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Landmarks by what each adds to a ridge regression of the targets, int64 (count,), the most telling first.

    Of G only each landmark's own block is carried along; the rest follows from a Cholesky factor that grows by three rows a step
    (incremental Cholesky; Rubinstein, Zibulevsky & Elad, 2008).
    """
    own = np.arange(LANDMARKS * _AXES).reshape(LANDMARKS, _AXES)
    blocks = gram[own[:, :, None], own[:, None, :]] + STRENGTH * np.trace(gram) / len(gram) * np.eye(_AXES)
    told = moments[own]
    chosen = np.empty(count, dtype=np.int64)
    is_free = np.ones(LANDMARKS, dtype=np.bool_)
    factor = np.empty((count * _AXES, len(gram)))
    for position in range(count):
        gains = (told * np.linalg.solve(blocks, told)).sum(axis=(1, 2))
        best = int(np.where(is_free, gains, -np.inf).argmax())
        chosen[position], is_free[best] = best, False
        known, rows = factor[: position * _AXES], slice(position * _AXES, (position + 1) * _AXES)
        column = gram[own[best]] - known[:, own[best]].T @ known
        column[:, own[best]] = blocks[best]
        root = np.linalg.cholesky(blocks[best])
        factor[rows] = np.linalg.solve(root, column)
        added = factor[rows].T[own]
        told = told - added @ np.linalg.solve(root, told[best])
        blocks = blocks - added @ added.transpose(0, 2, 1)
        # What is chosen stays solvable and tells nothing more.
        blocks[best], told[best] = np.eye(_AXES), 0.0
    return chosen


def stable_landmarks(
    stills: NDArray[np.float32],
    targets: NDArray[np.float32],
    persons: NDArray[np.str_],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The landmarks that `greedy_landmarks` takes on most of many halves of the people; of equals the earlier taken."""
    names = np.unique(persons)
    taken, place = np.zeros(LANDMARKS), np.zeros(LANDMARKS)
    for _ in range(HALVES):
        is_in = np.isin(persons, rng.permutation(names)[: max(1, len(names) // 2)])
        order = greedy_landmarks(*sums_of(stills[is_in], targets[is_in]), count)
        taken[order] += 1
        place[order] += np.arange(count) / count
    return np.lexsort((place, -taken))[:count]


def ranked_and_spread(importance: NDArray[np.float64], face: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The most important landmarks that are not beside one chosen before, int64 (count,), in order.

    Importance (478,) times the distance to the nearest chosen one, on a face (478, 3).
    """
    nearest, chosen = np.ones(LANDMARKS), np.empty(count, dtype=np.int64)
    for position in range(count):
        chosen[position] = (importance * nearest).argmax()
        distance = np.sqrt(((face - face[chosen[position]]) ** 2).sum(axis=1))
        nearest = distance if position == 0 else np.minimum(nearest, distance)
    return chosen
