"""Writes bcikit/files/montage.json: where the electrodes of the 10-05 system lie, in millimetres, head coordinates.

    .venv/bin/python tools/make_montage.py

The positions are MNE's template (Colin27), moved to head coordinates: x to the right ear, y to the nasion, z up, the
origin between the ears. MNE is needed to write the file, not to read it.
Source: R. Oostenveld and P. Praamstra, Clin. Neurophysiol. 112(4):713-719, 2001, doi:10.1016/S1388-2457(00)00527-7.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "bcikit" / "files" / "montage.json"


def template() -> dict[str, list[float]]:
    """{electrode: [x, y, z] in mm}, rounded to a tenth."""
    from mne.channels import make_standard_montage
    from mne.channels.montage import transform_to_head

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # newer versions call it colin27_1005
        try:
            montage = make_standard_montage("standard_1005")
        except ValueError:
            montage = make_standard_montage("colin27_1005")
        places = transform_to_head(montage).get_positions()["ch_pos"]
    return {name: [round(float(v) * 1000, 1) for v in place] for name, place in places.items()}


if __name__ == "__main__":
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(place)}" for name, place in template().items())
    TARGET.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(f"wrote {TARGET.name}: {lines.count(chr(10)) + 1} electrodes")
