"""The numbers of one still of a face that drift is looked for in, each with a name; no face can be drawn from them.

A name is `family/what`: blendshape, geometry, quality of the picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces.blendshapes import BLENDSHAPE_NAMES
from bitface.faces.geometry import GEOMETRY_NAMES, face_geometry
from bitface.faces.quality import QUALITY_COLUMNS

_COUNTED: Final = "faces"
_QUALITY: Final = tuple(column for column, name in enumerate(QUALITY_COLUMNS) if name != _COUNTED)
_BLENDSHAPE_DECIMALS: Final = 3
"""Some blendshapes never leave a millionth; what moves there is no face."""
MEASURE_NAMES: Final = (
    *(f"blendshape/{name}" for name in BLENDSHAPE_NAMES),
    *(f"geometry/{name}" for name in GEOMETRY_NAMES),
    *(f"quality/{QUALITY_COLUMNS[column]}" for column in _QUALITY),
)


def measures_of(
    blendshapes: NDArray[np.float32], normalised: NDArray[np.float32], quality: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The columns of MEASURE_NAMES, float64 (N, 70).

    Args:
        blendshapes: float32 (N, 52), in 0..1.
        normalised: float32 (N, 478, 3), see `alignment`.
        quality: float32 (N, 5), columns as QUALITY_COLUMNS; how many faces the picture has is left out.
    """
    return np.concatenate(
        [blendshapes.round(_BLENDSHAPE_DECIMALS), face_geometry(normalised), quality[:, _QUALITY]],
        axis=1,
        dtype=np.float64,
    )


def family_of(name: str) -> str:
    """The family of a column: what stands before the slash."""
    return name.partition("/")[0]
