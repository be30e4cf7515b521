"""What a MuJoCo model looks like as a drawing, whatever is in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._drawing import Drawing, ball, box, line


def drawn(mj: Any, model: Any, data: Any) -> Drawing:
    """Its geoms where they are: the world's stand around, the first tree of bodies is the body, others are things."""
    kinds = mj.mjtGeom
    lines, balls = [], []
    first = model.body_rootid[1] if model.nbody > 1 else 0
    for k in range(model.ngeom):
        root = model.body_rootid[model.geom_bodyid[k]]
        role = "place" if root == 0 else "body" if root == first else "thing"
        kind, size, at = kinds(int(model.geom_type[k])), model.geom_size[k], data.geom_xpos[k]
        axes = data.geom_xmat[k].reshape(3, 3).T
        if kind == kinds.mjGEOM_SPHERE:
            balls.append(ball(role, at, float(size[0])))
        elif kind in (kinds.mjGEOM_CAPSULE, kinds.mjGEOM_CYLINDER):
            half = axes[2] * size[1]
            lines.append(line(role, at - half, at + half, width=float(2 * size[0])))
        elif kind == kinds.mjGEOM_BOX and role == "place":
            lines.append(box(role, at - size, at + size))
        elif kind == kinds.mjGEOM_BOX:
            long = int(np.argmax(size))
            half = axes[long] * size[long]
            lines.append(line(role, at - half, at + half, width=float(2 * np.median(size))))
    return Drawing(tuple(lines), tuple(balls))
