"""Pictures of what moves: rendered where the machine can (EGL or OSMesa), else drawn as a skeleton of lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def drawn(
    lines: Sequence[np.ndarray], points: np.ndarray, size: tuple[int, int] = (480, 360), span: float = 1.2
) -> np.ndarray:
    """(height, width, 3) uint8: polylines (each (n, 3), metres) and points, seen from the side, x to the right and z up, y
    going into the depth; `span` metres fit in the width."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", size, (250, 250, 248))
    draw = ImageDraw.Draw(picture)
    scale = size[0] / span

    def flat(p: np.ndarray) -> list[tuple[float, float]]:
        p = np.atleast_2d(p)
        x, z = p[:, 0] + 0.35 * p[:, 1] + 0.1 * span, p[:, 2] + 0.25 * p[:, 1] + 0.1 * span
        return [(float(a), float(size[1] - b)) for a, b in zip(x * scale, z * scale, strict=True)]

    for line in lines:
        draw.line(flat(line), fill=(40, 60, 90), width=5, joint="curve")
    for x, z in flat(points):
        draw.ellipse((x - 6, z - 6, x + 6, z + 6), fill=(200, 80, 40))
    return np.asarray(picture)


def write(path: Path, picture: np.ndarray) -> None:
    """As PNG."""
    from PIL import Image

    Image.fromarray(picture).save(path)
