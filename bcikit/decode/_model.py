"""A trained line as a folder: `arrays.safetensors` and `model.json`, which a person can read. Nothing in it can run."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BciError, FileTrouble, WrongUse
from ..core.parts import Stage
from ..core.pipeline import Pipeline, build
from ..core.stream import Stream
from ..ethics.manifest import use
from ..preprocess.epoch import Epoch
from ..preprocess.pick import Pick
from ..preprocess.window import Window
from ._adaptive import Adaptive
from ._decoder import Decoder
from ._learner import Learner

SAID, ARRAYS = "model.json", "arrays.safetensors"
FORMAT = 2
RATE_OFF = 0.005  # relative: a board's nominal rate may be rounded


@dataclass
class Model:
    """line: from the board's stream to the probabilities. about: what the folder says beside it: rate_hz and channels that
    it was trained at, labels, data, subjects, metrics."""

    line: Pipeline
    about: dict[str, Any]

    @property
    def decoder(self) -> Decoder:
        last = self.line.stages[-1]
        assert isinstance(last, Decoder)
        return last

    def check(self, s: Stream) -> None:
        """Raises WrongUse where a board's stream is of another rate, or lacks a channel."""
        rate = self.about["rate_hz"]
        if abs(s.rate - rate) > RATE_OFF * rate:
            raise WrongUse(
                f"This model was trained at {rate:g} Hz; {s.name} gives {s.rate:g} Hz.",
                "Its filters and windows are made for that rate.",
                f"Use a board of that rate, put --stage resample:rate={rate:g} before it, or train a model at this one.",
            )
        wanted = [c["name"] for c in self.about["channels"]]
        missing = [n for n in wanted if n not in s.names]
        if missing:
            other = next((n for n in s.names if n not in wanted), "OLD")
            raise WrongUse(
                f"This model needs the channels {', '.join(missing[:12])}{' ...' if len(missing) > 12 else ''}.",
                f"{s.name} has {', '.join(s.names[:16])}{' ...' if len(s.names) > 16 else ''}.",
                f"Say which of these sit there: --stage rename:channels={other}:{missing[0]}+..., or train with these.",
            )

    def live(self, every: float | None = None) -> list[Stage]:
        """The stages for a live line, which refuses a stream that the model does not fit: decoding after each named event,
        as trained, and learning from trials if it was made to; or, with `every` (s), continuously."""
        stages = list(self.line.stages)
        if isinstance(stages[0], Pick):
            stages[0] = first = Fitting(**stages[0].settings())
            first.model_ = self
        if every is not None:
            at = next((i for i, s in enumerate(stages) if isinstance(s, Epoch)), None)
            if at is None:
                raise WrongUse("This model does not decode trials, so it has no window to repeat.")
            stages[at] = Window(length=stages[at].settings()["length"], hop=every)
            if isinstance(self.decoder, Adaptive):  # nobody tells when a trial is over
                stages[-1] = its = copy.copy(self.decoder)
                its.update = "none"
        elif self.decoder.learns_from:
            stages[-1] = Learner([self.decoder])
        elif hasattr(self.decoder, "growing"):
            stages = [self.decoder.growing(s) if isinstance(s, Epoch) else s for s in stages]
        return stages


class Fitting(Pick):
    """The pick that a model's line begins with, which also looks at the rate."""

    model_: Model

    @classmethod
    def part_name(cls) -> str:
        return "pick"

    def setup(self, s: Stream) -> Stream:
        self.model_.check(s)
        return super().setup(s)

    def learned(self) -> dict[str, Any]:
        return {}


def save(folder: str | Path, line: Pipeline, trained_on: Stream, about: Mapping[str, Any]) -> Path:
    """Write a trained line. trained_on: the stream that its trials were cut from, as it entered the line. Raises
    WrongUse where something learnt cannot be kept as plain values, FileTrouble where the folder cannot be written."""
    from safetensors.numpy import save as bytes_of

    folder = Path(folder).expanduser()
    arrays: dict[str, np.ndarray] = {}
    learned = _out(line.learned(), arrays)
    packed = bytes_of(arrays)
    channels = [{"name": c.name, "kind": c.kind, "unit": c.unit, "position": c.position} for c in trained_on.channels]
    said: dict[str, Any] = {
        "format": FORMAT,
        "use": use(trained_on.label),
        "rate_hz": trained_on.rate,
        "channels": channels,
        **about,
        "recipe": line.recipe(),
        "learned": learned,
    }
    said["sha256"] = fingerprint(said, packed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ARRAYS).write_bytes(packed)
        (folder / SAID).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise FileTrouble(f"The model cannot be written to {folder}.", f"{error.strerror}.") from None
    return folder


def fingerprint(said: Mapping[str, Any], packed: bytes) -> str:
    """SHA-256 of all that decides what a model decodes: of a change that nobody would see, it says so; who means harm can
    make it anew."""
    decides = json.dumps([said[k] for k in ("recipe", "learned", "rate_hz", "channels")], sort_keys=True)
    return hashlib.sha256(decides.encode() + packed).hexdigest()


def note(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write into a model's folder how good it is."""
    said = {**json.loads((folder / SAID).read_text(encoding="utf-8")), "metrics": metrics}
    (folder / SAID).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder: str | Path) -> Model:
    """The model in a folder. Raises FileTrouble where it is damaged, incomplete, or no model."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as arrays_of

    folder = Path(folder).expanduser()
    if not (folder / SAID).is_file():
        raise FileTrouble(f"{folder} is not a model.", f"It holds no {SAID}.", "`bcikit train` writes one.")
    try:
        said = json.loads((folder / SAID).read_text(encoding="utf-8"))
        packed = (folder / ARRAYS).read_bytes()
        if said["format"] != FORMAT:
            raise FileTrouble(f"{folder} is of format {said['format']}.", f"This bcikit reads format {FORMAT}.")
        if fingerprint(said, packed) != said["sha256"]:
            raise FileTrouble(f"{folder} is damaged.", f"{SAID} or {ARRAYS} is not what was written when it was trained.")
        line = build(said.pop("recipe"))
        line.restore(_back(said.pop("learned"), arrays_of(packed)))
        if not isinstance(line, Pipeline) or not line.stages or not isinstance(line.stages[-1], Decoder):
            raise FileTrouble(f"{folder} holds no decoder.")
    except BciError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise FileTrouble(f"{folder} is damaged.", f"{type(error).__name__}: {str(error)[:200]}") from None
    return Model(line, said)


def _out(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[name := f"a{len(arrays)}"] = np.ascontiguousarray(value)
        return {"__array__": name, "shape": list(value.shape)}
    if isinstance(value, Mapping):
        return {str(k): _out(v, arrays) for k, v in value.items()}
    return [_out(v, arrays) for v in value] if isinstance(value, (list, tuple)) else value


def _back(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, Mapping):
        if "__array__" in value:
            return arrays[value["__array__"]].reshape(value["shape"])
        return {k: _back(v, arrays) for k, v in value.items()}
    return [_back(v, arrays) for v in value] if isinstance(value, list) else value
