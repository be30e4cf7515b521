"""Where electrodes lie: the names and template positions of the 10-05 system, which holds 10-20 and 10-10.

Positions are of a template head (Colin27 through MNE), in metres, head coordinates: x to the right ear, y to the nasion,
z up. A person's own digitised positions are better where there are any. `tools/make_montage.py` writes the data.
Source: R. Oostenveld and P. Praamstra, Clin. Neurophysiol. 112(4):713-719, 2001, doi:10.1016/S1388-2457(00)00527-7.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

# H. H. Jasper, Electroencephalogr. Clin. Neurophysiol. 10:371-375, 1958; T7, T8, P7, P8 were T3, T4, T5, T6 there.
TEN_TWENTY: tuple[str, ...] = tuple("Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2".split())


@cache
def positions() -> dict[str, tuple[float, float, float]]:
    """{name: (x, y, z) in metres} of all electrodes of the 10-05 system, and the older names T3, T4, T5, T6, A1, A2."""
    raw = json.loads(files("bcikit.files").joinpath("montage.json").read_text(encoding="utf-8"))
    return {name: (x / 1000, y / 1000, z / 1000) for name, (x, y, z) in raw.items()}


@cache
def _spellings() -> dict[str, str]:
    return {name.casefold(): name for name in positions()}


def spelled(name: str) -> str | None:
    """The usual spelling of an electrode's name ("FP1", "fp1." or " Fp1" is "Fp1"), or None where it is none. The dots
    with which the EEG Motor Movement/Imagery data set fills its names are passed over."""
    return _spellings().get(name.strip().rstrip(".").casefold())


def position(name: str) -> tuple[float, float, float] | None:
    """(x, y, z) in metres, head coordinates, of a 10-05 electrode in any spelling; None where the name is not one."""
    known = spelled(name)
    return None if known is None else positions()[known]
