"""The recorder that is used by default: encrypted, under the keys of the person recorded."""

from __future__ import annotations

import atexit
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from ..core.errors import WrongUse
from ..core.label import Label
from ..core.parts import Part, Setting
from ..core.stream import Stream
from ..files.sealed import SUFFIX, folder_of
from .xdf import Xdf


@dataclass(eq=False)
class Store(Xdf):
    """Records a stream as `xdf` does, into a file that only this device opens, in a folder of the person's own that bears no
    name ($BCIKIT_HOME/recordings). `bcikit export` gives a person theirs, `bcikit erase` makes noise of all of them.
    """

    plain: ClassVar[bool] = False

    path: Annotated[str, Setting("file to make; named by the date where it is empty")] = ""

    def place(self, label: Label) -> None:
        """Name the file, where it has no name yet: by the date, in the folder of those in it."""
        if not self.path:
            folder, name = folder_of("+".join(sorted(label.subjects))), time.strftime("%Y%m%d-%H%M%S")
            free = (folder / f"{name}{f'-{n}' if n else ''}{SUFFIX}" for n in range(1000))
            self.path = str(next(p for p in free if not p.exists()))

    def open(self, s: Stream, permit: Any) -> None:
        self.place(s.label)
        if not self.path.endswith(SUFFIX):
            raise WrongUse(f"An encrypted recording is named *{SUFFIX}.", do="Leave the name out, or record with xdf.")
        super().open(s, permit)

    @classmethod
    def examples(cls) -> Iterator[Part]:
        folder = tempfile.TemporaryDirectory(prefix="bcikit-")
        atexit.register(folder.cleanup)
        yield cls(path=str(Path(folder.name) / f"example{SUFFIX}"))
