"""The one decoder of each paradigm that stands for bcikit where nobody names another; named before any score was seen."""

DEFAULT = {
    "mi": "band_tangent",
    "ssvep": "flicker_tangent",
    "p300": "flashes",
    "keys": "readiness",
}
