"""bcikit emulate: devices for those who have none, speaking the real wire protocol."""

from __future__ import annotations

import json
import signal
from typing import Any

import click

from bcikit.cli._seconds import Seconds
from bcikit.core.errors import WrongUse

GROUP = "Devices"


class _Span(click.ParamType):
    name = "AT:SECONDS"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        at, colon, length = str(value).partition(":")
        try:
            span = float(at), float(length)
            if not colon or not 0 <= span[0] < float("inf") or not 0 < span[1] < float("inf"):
                raise ValueError
        except ValueError:
            raise WrongUse(f"{value!r} is not AT:SECONDS.", "For example 10:2, two seconds from second 10 on.") from None
        return span


class _Ohms(click.ParamType):
    name = "OHM[+OHM...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        try:
            ohms = tuple(float(v) for v in str(value).split("+"))
            if not all(0 <= v < float("inf") for v in ohms):
                raise ValueError
        except ValueError:
            raise WrongUse(f"{value!r} is not a list of resistances.", "For example 5000+12000, in ohm.") from None
        return ohms


def _played(command: Any) -> Any:
    """The options of those that can play a recording."""
    command = click.option("--loop", is_flag=True, help="Begin the recording again at its end.")(command)
    said = "Recording to stream (µV); without it a simulated signal."
    return click.option("--file", type=click.Path(readable=False), help=said)(command)


def _shared(command: Any) -> Any:
    """The options that every emulated device has."""
    for option in reversed(
        [
            click.option("--drop", type=float, default=0.0, metavar="P", help="Probability that a packet is lost."),
            click.option("--garble", type=float, default=0.0, metavar="P", help="Probability of random bytes at a packet."),
            click.option("--stall", type=_Span(), multiple=True, help="Silence: the radio is out of reach."),
            click.option("--vanish", type=_Span(), multiple=True, help="The port itself is gone, and comes back."),
            click.option("--seed", type=int, default=0, metavar="N", help="Of faults and simulated signal."),
            click.option("--log", type=click.Path(), help="A line for each packet: number, CLOCK_MONOTONIC ns, fate."),
            click.option("--seconds", type=Seconds(), metavar="N", help="End by itself after so long."),
        ]
    ):
        command = option(command)
    return command


def _run(device: Any, seconds: float | None) -> None:
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: device.stop())
    try:
        click.echo(f"port: {device.open()}")
        device.run(seconds)
        click.echo(json.dumps(device.summary))
    finally:
        device.close()


@click.group()
def command() -> None:
    """Emulated devices: try everything without a board. Prints `port: ...` first, at the end one line of JSON."""


_link = click.option("--link", type=click.Path(), help="Name of the port; by default in a folder of its own.")
_resistance = click.option("--resistance", type=_Ohms(), default="5000", help="Of each electrode; the last for the rest.")


@command.command()
@_played
@_shared
@_resistance
@_link
@click.option("--daisy/--no-daisy", default=None, help="16 channels; by default as the file has.")
@click.option("--channel", type=click.IntRange(1, 25), default=7, help="Radio channel of the board.")
@click.option("--dongle-channel", type=click.IntRange(1, 25), help="Radio channel of the dongle, if it is another.")
@click.option("--off", is_flag=True, help="The board is switched off; only the dongle answers.")
def cyton(seconds: float | None, off: bool, **settings: Any) -> None:
    """An OpenBCI Cyton (and Daisy) on a pseudo-terminal."""
    from bcikit.acquire.emulate.cyton import Cyton

    _run(Cyton(power=not off, **settings), seconds)


@command.command()
@_played
@_shared
@_resistance
@_link
def ganglion(seconds: float | None, **settings: Any) -> None:
    """An OpenBCI Ganglion and its dongle, on a pseudo-terminal. The dongle is a BLED112."""
    from bcikit.acquire.emulate.ganglion import Ganglion

    _run(Ganglion(**settings), seconds)


@command.command()
@_played
@_shared
@_resistance
@click.option("--board", type=click.Choice(["cyton", "daisy", "ganglion"]), default="cyton", help="What is under it.")
@click.option("--address", default="127.0.0.1", help="Where it serves HTTP.")
@click.option("--port", type=click.IntRange(0, 65535), default=80, help="BrainFlow always asks 80; 0 is any free one.")
def wifi(seconds: float | None, **settings: Any) -> None:
    """An OpenBCI WiFi shield on loopback."""
    from bcikit.acquire.emulate.wifi import Wifi

    _run(Wifi(**settings), seconds)


@command.command()
@_shared
@click.option("--channels", type=click.IntRange(1, 1024), default=128, help="Amplifier channels.  [128]")
@click.option("--rate", type=click.Choice(["20000", "25000", "30000"]), default="30000", help="Samples a second.")
@click.option("--address", default="127.0.0.1", help="Where it listens.")
@click.option("--port", type=click.IntRange(0, 65534), default=5000, help="Of commands; waveforms at the next one.  [5000]")
def rhx(seconds: float | None, rate: str, **settings: Any) -> None:
    """An Intan controller behind the RHX software, on loopback."""
    from bcikit.acquire.emulate.rhx import Rhx

    _run(Rhx(rate=int(rate), **settings), seconds)
