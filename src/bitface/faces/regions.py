"""Names the parts of a face, so that an explanation can be read in words and held against what anatomy expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.action_units import RECIPES
from bitface.faces.features import LANDMARKS

# Derived once from the canonical mesh: contour points were named by hand, every other vertex joined the named point that
# is nearest along the mesh's edges. Iris points belong to the eyes. Left and right are one region each.
# fmt: off
REGIONS: Final[Mapping[str, tuple[int, ...]]] = {
    "forehead": (
        10, 54, 67, 68, 69, 103, 104, 108, 109, 151, 284, 297, 298, 299, 332, 333, 337, 338,
    ),
    "brows": (
        8, 9, 46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336,
    ),
    "temples": (
        21, 34, 71, 127, 139, 143, 156, 162, 227, 251, 264, 301, 356, 368, 372, 383, 389, 447,
    ),
    "eyes": (
        7, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 35, 56, 110, 112, 113, 119, 120, 121, 124, 128, 130, 133, 144,
        145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 189, 190, 221, 222, 223, 224, 225, 226, 228, 229, 230,
        231, 232, 233, 243, 244, 246, 247, 249, 252, 253, 254, 255, 256, 257, 258, 259, 260, 261, 263, 265, 286, 339,
        341, 342, 348, 349, 350, 353, 357, 359, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 413,
        414, 441, 442, 443, 444, 445, 446, 448, 449, 450, 451, 452, 453, 463, 464, 466, 467, 468, 469, 470, 471, 472,
        473, 474, 475, 476, 477,
    ),
    "nose": (
        1, 2, 3, 4, 5, 6, 19, 20, 44, 45, 47, 48, 49, 51, 59, 60, 64, 75, 79, 94, 97, 98, 99, 100, 102, 114, 115, 122,
        125, 126, 129, 131, 134, 141, 142, 166, 168, 174, 188, 193, 195, 196, 197, 198, 209, 217, 218, 219, 220, 235,
        236, 237, 238, 239, 240, 241, 242, 245, 248, 250, 274, 275, 277, 278, 279, 281, 289, 290, 294, 305, 309, 326,
        327, 328, 329, 331, 343, 344, 351, 354, 355, 358, 360, 363, 370, 371, 392, 399, 412, 417, 419, 420, 429, 437,
        438, 439, 440, 455, 456, 457, 458, 459, 460, 461, 462, 465,
    ),
    "cheeks": (
        36, 50, 101, 111, 116, 117, 118, 123, 147, 187, 203, 205, 206, 207, 266, 280, 330, 340, 345, 346, 347, 352, 376,
        411, 423, 425, 426, 427,
    ),
    "mouth": (
        0, 11, 12, 13, 14, 15, 16, 17, 18, 37, 38, 39, 40, 41, 42, 43, 57, 61, 62, 72, 73, 74, 76, 77, 78, 80, 81, 82,
        83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 95, 96, 106, 146, 164, 165, 167, 178, 179, 180, 181, 182, 183, 184, 185,
        186, 191, 202, 204, 212, 216, 267, 268, 269, 270, 271, 272, 273, 287, 291, 292, 302, 303, 304, 306, 307, 308,
        310, 311, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 322, 324, 325, 335, 375, 391, 393, 402, 403, 404,
        405, 406, 407, 408, 409, 410, 415, 422, 424, 432, 436,
    ),
    "jaw": (
        58, 93, 132, 135, 136, 137, 138, 149, 150, 169, 170, 172, 177, 192, 210, 211, 213, 214, 215, 234, 288, 323, 361,
        364, 365, 366, 367, 378, 379, 394, 395, 397, 401, 416, 430, 431, 433, 434, 435, 454,
    ),
    "chin": (
        32, 140, 148, 152, 171, 175, 176, 194, 199, 200, 201, 208, 262, 369, 377, 396, 400, 418, 421, 428,
    ),
}
# fmt: on
"""Nine regions, top to bottom; each of the 478 landmarks lies in exactly one. `brows` holds the glabella, `nose` its root
and wings, `mouth` the lips and the skin that moves with them, `jaw` the outline beside the chin."""

REGIONS_OF_UNIT: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("forehead", "brows"),
    2: ("forehead", "brows"),
    4: ("brows",),
    5: ("eyes",),
    6: ("eyes", "cheeks"),
    7: ("eyes",),
    9: ("nose",),
    10: ("mouth",),
    12: ("cheeks", "mouth"),
    14: ("cheeks", "mouth"),
    15: ("mouth",),
    16: ("mouth", "chin"),
    17: ("mouth", "chin"),
    18: ("mouth",),
    20: ("mouth",),
    22: ("mouth",),
    23: ("mouth",),
    24: ("mouth",),
    25: ("mouth",),
    26: ("mouth", "jaw", "chin"),
    28: ("mouth",),
    29: ("jaw", "chin"),
    30: ("jaw", "chin"),
    34: ("cheeks",),
    45: ("eyes",),
}
"""Where the skin visibly moves when an action unit acts: the muscle's appearance changes in the Facial Action Coding System
(Ekman, Friesen & Hager, 2002), in this project's nine regions. Gaze (61 to 64) and tongue (19) move no skin region."""


def region_of_landmark() -> NDArray[np.int64]:
    """Index into REGIONS of each landmark, int64 (478,)."""
    owner = np.full(LANDMARKS, -1, dtype=np.int64)
    for index, landmarks in enumerate(REGIONS.values()):
        owner[list(landmarks)] = index
    return owner


OUTSIDE: Final = "outside"
"""The part of a crop that is not face: hair, neck, background."""


def regions_of_owners(owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """The region of each pixel by the landmark that owns it, see `alignment.pixel_owners`; 9 for OUTSIDE."""
    return np.append(region_of_landmark(), len(REGIONS))[owners]


def share_of_landmarks() -> NDArray[np.float64]:
    """Share of the 478 landmarks in each region, float64 (9,): the mass of a map that prefers no landmark."""
    return np.array([len(landmarks) / LANDMARKS for landmarks in REGIONS.values()])


def regions_of_emotion(emotion: str) -> tuple[str, ...]:
    """Regions that the emotion's prototype moves, in the order of REGIONS; none for neutral, which moves nothing.

    The prototype is the first recipe of `action_units` (EMFACS: Friesen & Ekman, 1983), for example happiness = 6 + 12.

    Raises:
        InputError: no such emotion.
    """
    if emotion not in RECIPES:
        raise InputError(f"unknown emotion '{emotion}'; use one of {', '.join(RECIPES)}")
    moved = {region for unit in RECIPES[emotion][0].units for region in REGIONS_OF_UNIT[unit]}
    return tuple(region for region in REGIONS if region in moved)
