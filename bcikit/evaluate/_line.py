"""From `--decoder NAME` and a data set to a line of stages: which channels, what before, which trials, which decoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import NotConsented, WrongUse
from ..core.find import parse
from ..core.parts import Stage, settings_of
from ..core.pipeline import Pipeline, build
from ..core.stream import Chunk, Recording
from ..decode._decoder import Decoder
from ..decode._defaults import DEFAULT
from ..decode.estimator import named
from ..decode.foreign import Foreign
from ..decode.sandbox import Sandbox
from ..files.cards import Card
from ..preprocess._filter import Filter
from ..preprocess._signals import BRAIN
from ..preprocess.epoch import Epoch
from ..preprocess.pick import Pick
from .data import Cut, Run, cut

# Wide causal filters of low order, for decoders that name none themselves
FRONT = {
    "mi": "bandpass:low=8,high=30,order=2",
    "ssvep": "bandpass:low=5,high=45,order=2",
    "p300": "bandpass:low=0.5,high=12,order=2",
    "rest": "bandpass:low=4,high=30,order=2",
}
# Where eight electrodes stand that a board has: over the hands' areas, the occiput, and where a P300 is largest
EIGHT = {
    "mi": "C3 Cz C4 FC1 FC2 CP1 CP2 FCz CPz FC5 FC6 CP5 CP6 C1 C2",
    "ssvep": "Oz O1 O2 POz PO3 PO4 PO7 PO8 Pz P3 P4",
    "p300": "Fz Cz Pz Oz P3 P4 PO7 PO8 C3 C4 POz",
    "keys": "C3 C4 Cz FC3 FC4 CP3 CP4 FCz C1 C2",
}


def decoder(text: str | Decoder, card: Card) -> Decoder:
    """A decoder from the command line's text: `default`, a name with settings, or estimators (`pyriemann:MDM`), several
    joined by +; or one that was made. What the card knows of the trials (rest, target, hz) is told to a decoder that asks
    and was not told."""
    if isinstance(text, Decoder):
        made, text = text, ""
    else:
        text = _default(card) if text == "default" else text
        try:
            made = named(text)
        except NotConsented:  # it may not be loaded here
            return Foreign(decoder=text)
    if made.settings().get("around") == "default":
        made.set_params(around=_default(card))
    told = {}
    for name in settings_of(type(made)):
        if name in card.trials and name not in ("events", "after", "length") and f"{name}=" not in text:
            value: Any = card.trials[name]
            told[name] = tuple(f"{k}:{v}" for k, v in value.items()) if isinstance(value, dict) else value
    return made.set_params(**told) if told else made


def _default(card: Card) -> str:
    if card.paradigm not in DEFAULT:
        what = repr(card.paradigm) if card.paradigm else "a data set whose card names no paradigm"
        raise WrongUse(f"There is no default decoder for {what}.", do="Name one: --decoder pyriemann:MDM")
    return DEFAULT[card.paradigm]


def line(text: str | Decoder, runs: Sequence[Run], stages: Sequence[str] = (), eight: bool = False) -> Pipeline:
    """The whole line for these runs. Channels are those that all of them have, in the order of the first."""
    its = runs[0].card
    last = decoder(text, its)
    before = [_stage(s) for s in stages] or last.before()
    if not before and its.paradigm in FRONT:
        before = [parse("stage", FRONT[its.paradigm])]
    epoch = runs[0].epoch()
    if hasattr(last, "span"):
        after, length = last.span(epoch.after, epoch.length)
        epoch = runs[0].epoch(after=after, length=length)
    return Pipeline([Pick(channels=common(runs, eight)), *before, epoch, *last.behind(), last])


def _stage(text: str) -> Stage:
    """A stage; one that may not be loaded here, in the sandboxed worker."""
    try:
        return parse("stage", text)
    except NotConsented:
        return Sandbox([text])


def common(runs: Sequence[Run], eight: bool = False) -> tuple[str, ...]:
    """Names of the brain's channels that all runs have; the eight of them that suit the paradigm best, where asked."""
    streams = [r.recording.stream for r in runs]
    first = [streams[0].names[i] for i in streams[0].of_kind(*BRAIN)]
    names = [n for n in first if all(n in s.names for s in streams)]
    if not names:
        raise WrongUse("The recordings have no channel in common.", f"The first has {', '.join(first[:8])} ...")
    if eight and len(names) > 8:
        best = [n for n in EIGHT.get(runs[0].card.paradigm, "").split() if n in names]
        chosen = [*best, *(n for n in names if n not in best)][:8]
        names = [n for n in names if n in chosen]
    return tuple(names)


def fresh(pipeline: Pipeline) -> Pipeline:
    """The same line, made anew from its recipe, knowing nothing."""
    made = build(json.loads(json.dumps(pipeline.recipe())))
    assert isinstance(made, Pipeline)
    return made


def cut_causal(pipeline: Pipeline, recording: Recording) -> Cut:
    """Trials as they come live, without the decoder."""
    return cut(fresh(pipeline).stages[:-1], recording)


def cut_offline(pipeline: Pipeline, recording: Recording) -> Cut:
    """Trials as papers cut them: filters run forward and backward over the whole recording, so they look ahead."""
    front, epoch, behind, _ = parted(pipeline)
    return cut([epoch, *behind], looked_both_ways(front, recording))


def parted(pipeline: Pipeline) -> tuple[list[Stage], Epoch, list[Stage], Decoder]:
    """The line made anew, as stages before its epoch, the epoch, stages behind it, and the decoder."""
    *stages, last = fresh(pipeline).stages
    at, epoch = next((i, s) for i, s in enumerate(stages) if isinstance(s, Epoch))
    assert isinstance(last, Decoder)
    return stages[:at], epoch, stages[at + 1 :], last


def looked_both_ways(stages: Sequence[Stage], recording: Recording) -> Recording:
    """The recording through these stages, each filter forward and backward."""
    for stage in stages:
        recording = Pipeline([stage]).run(recording)
        if isinstance(stage, Filter):
            recording = _backward(Pipeline([stage]).run(_backward(recording)))
    return recording


def _backward(r: Recording) -> Recording:
    """Time reversed, its events where they were."""
    last = r.chunks[-1].end - 1 if r.chunks else 0
    time = lambda c: c.time if np.ndim(c.time) == 0 else c.time[::-1]  # noqa: E731
    chunks = [Chunk(c.data[::-1], last - (c.end - 1), time(c)) for c in reversed(r.chunks)]
    events = tuple(e.__class__(last - e.index, e.name, e.value, e.uncertainty) for e in r.events if e.name not in GAPS)
    if chunks:
        chunks[0] = chunks[0].but(events=events)
    return Recording(r.stream, tuple(chunks), r.info)


GAPS = ("gap", "bridged")  # the Pipeline finds them again
