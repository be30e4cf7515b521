"""Pictures and films of what moves: rendered where the device can, else painted from its drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ._drawing import Drawing

SIZE = (640, 480)
COLOURS = {
    "body": (58, 78, 110),
    "thing": (214, 122, 30),
    "warm": (205, 60, 60),
    "place": (205, 208, 214),
    "limit": (196, 120, 120),
}
PAPER = (250, 250, 248)


def picture(effector: Any, more: Drawing | None = None, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(height, width, 3) uint8 of an effector and what stands around it; what is said of it stands below what is
    rendered."""
    render = getattr(getattr(effector, "_device", None), "picture", None)
    seen = render(size) if render is not None else None
    drawing = effector.drawing()
    if seen is None:
        return painted(drawing if more is None else drawing + more, size)
    return _said(seen, ", ".join(text for _, _, text in drawing.words))


def _said(seen: np.ndarray, text: str) -> np.ndarray:
    from PIL import Image, ImageDraw

    image = Image.fromarray(seen)
    ImageDraw.Draw(image).text((seen.shape[1] / 2, seen.shape[0] - 16), text, fill=PAPER, anchor="mm", font_size=15)
    return np.asarray(image)


def painted(d: Drawing, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(height, width, 3) uint8: what is far is painted first."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    scale = size[0] / d.span
    right = np.array([np.cos(d.turn), np.sin(d.turn), 0.0])
    ahead = np.array([-np.sin(d.turn), np.cos(d.turn), 0.0])
    up, far = np.array([0, 0, np.cos(d.tilt)]) + ahead * np.sin(d.tilt), ahead * np.cos(d.tilt) - [0, 0, np.sin(d.tilt)]

    def flat(p: np.ndarray) -> list[tuple[float, float]]:
        q = (np.atleast_2d(p) - d.middle) @ np.column_stack([right, up]) * scale
        return [(size[0] / 2 + float(x), size[1] / 2 - float(y)) for x, y in q]

    strokes: list[tuple[float, int, Any]] = [(float((p @ far).mean()), 0, (r, p, w)) for r, p, w in d.lines]
    strokes += [(float(p @ far), 1, (r, p, w)) for r, p, w in d.balls]
    for _, round_, (role, p, w) in sorted(strokes, key=lambda s: (s[2][0] != "place", -s[0])):
        if round_:
            ((x, y),), radius = flat(p), max(w * scale, 2)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=COLOURS[role], outline=PAPER)
        else:
            at, thick = flat(p), max(round(w * scale), 1)
            draw.line(at, fill=COLOURS[role], width=thick, joint="curve")
            for x, y in at if thick > 4 else ():  # round ends
                draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=COLOURS[role])
    for role, p, text in d.words:
        ((x, y),) = flat(p)
        draw.text((x, y), text, fill=COLOURS[role], anchor="mm", font_size=15)
    return np.asarray(image)


def write(path: Path, picture: np.ndarray) -> None:
    """As PNG."""
    from PIL import Image

    Image.fromarray(picture).save(path)


class Film:
    """An MP4 (H.264) of so many pictures a second: `add` each, then `close`. Raises WrongUse where PyAV is missing."""

    def __init__(self, path: Path, rate: int) -> None:
        try:
            import av
        except ModuleNotFoundError as error:
            raise WrongUse("A film needs the library av (PyAV).", do='pip install "bcikit[robot]"') from error
        self._av = av
        self._file = av.open(str(path), "w")
        self._stream = self._file.add_stream("libx264", rate=rate)
        self._stream.pix_fmt = "yuv420p"
        self._sized = False

    def add(self, picture: np.ndarray) -> None:
        if not self._sized:
            self._stream.height, self._stream.width = picture.shape[:2]
            self._sized = True
        for packet in self._stream.encode(self._av.VideoFrame.from_ndarray(picture, format="rgb24")):
            self._file.mux(packet)

    def close(self) -> None:
        if self._sized:
            for packet in self._stream.encode():
                self._file.mux(packet)
        self._file.close()
