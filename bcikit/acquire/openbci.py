"""OpenBCI's boards: Cyton, Cyton+Daisy and Ganglion, over their dongles or a WiFi shield, through BrainFlow.

Scales (BrainFlow applies them; tests hold them to the vendor's range):

    board             µV per count                            full scale             source
    Cyton, Daisy      4.5e6 / gain / (2^23 - 1)               ±4.5 V / gain          docs.openbci.com, Cyton Data Format;
                      0.02235 at gain 24                      ±187.5 mV at gain 24   ADS1299 data sheet (SBAS499), 9.5.1
    Ganglion          1.2e6 / (8388607 * 1.5 * 51)            ±15.69 mV              docs.openbci.com, Ganglion Data Format
                      0.001870
    Cyton, Daisy      accelerometer 0.002 / 16 g              ±4 g                   LIS3DH data sheet, Cyton Data Format
    Cyton, Daisy      analog pins 3.3 / 1023 V                0 to 3.3 V             docs.openbci.com, Cyton Board SDK
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting
from ..core.stream import Channel
from ._brainflow import AXES, Layout, Session, counting, described, electrodes
from ._driven import Driven
from ._ports import DONGLES, POSIX, Held, check, latency_timer, only_port, ports, set_radio_channel

MODELS = {"cyton": 0, "daisy": 2, "ganglion": 1, "cyton_wifi": 5, "daisy_wifi": 6, "ganglion_wifi": 4}
GANGLION_BLUETOOTH = 46  # without its dongle, over this computer's own Bluetooth
MONTAGE = "Fp1 Fp2 C3 C4 P7 P8 O1 O2 F7 F8 F3 F4 T7 T8 P3 P4".split()  # docs.openbci.com, Cyton Headware
GAINS = (1, 2, 4, 6, 8, 12, 24)
INPUTS = {"normal": "0", "shorted": "1", "test": "5"}
LETTERS = "12345678QWERTYUI"
DEFAULT = "060110"  # power, gain 24, normal input, bias, SRB2, SRB1
MODES = {"accel": "/0", "analog": "/2", "digital": "/3", "off": "/0"}
CYTON_RATES = (16000, 8000, 4000, 2000, 1000, 500, 250)
GANGLION_RATES = (25600, 12800, 6400, 3200, 1600, 800, 400, 200)
VOLTS_PER_COUNT = 3.3 / 1023
WAKE_S = 2.5  # of silence, after which a board that was switched off and on is told to stream again
AGAIN_S = 3.0  # of silence, after which a board without a serial port of its own is connected anew


@dataclass(eq=False)
class Openbci(Driven):
    """An OpenBCI board. With none of the settings: the board behind the one dongle that is plugged in, its model read from
    its banner. `bcikit impedance --board openbci` measures the electrodes, `bcikit doctor` says why a board is not found.

    Samples carry an 8-bit number: losses below 1 s are counted by it, longer ones by host time to within a few samples.
    Between its 25 readings a second the accelerometer's last value stands. Of a Daisy's sample, whose halves come as two
    packets, the loss of either is the loss of the sample; of the second one and the next first one it is not seen.
    """

    model: Annotated[str, Setting("the board; auto asks it", choices=("auto", *MODELS))] = "auto"
    port: Annotated[str, Setting("serial port of the dongle; found by itself where there is one")] = ""
    ip: Annotated[str, Setting("address of the WiFi shield")] = ""
    ip_port: Annotated[int, Setting("port here that the shield sends to; 0 is any free one", low=0, high=65535)] = 0
    mac: Annotated[str, Setting("Bluetooth address of a Ganglion")] = ""
    channels: Annotated[tuple[str, ...], Setting("names of the electrodes, in the order of the inputs")] = ()
    gain: Annotated[tuple[int, ...], Setting("of the amplifier, for all or for each", choices=GAINS)] = (24,)
    input: Annotated[str, Setting("what the amplifier measures", choices=tuple(INPUTS))] = "normal"
    bias: Annotated[bool, Setting("the channels drive the bias electrode")] = True
    srb2: Annotated[bool, Setting("the channels are measured against SRB2")] = True
    srb1: Annotated[bool, Setting("SRB1 is the reference of all channels")] = False
    off: Annotated[tuple[int, ...], Setting("inputs that are switched off", low=1, high=16)] = ()
    aux: Annotated[str, Setting("what comes beside the electrodes", choices=tuple(MODES))] = "accel"
    rate: Annotated[int | None, Setting("samples a second, over WiFi only", "Hz", low=200, high=25600)] = None
    radio_channel: Annotated[int | None, Setting("put the dongle on this one first", low=1, high=25)] = None

    # -- connecting

    def connect(self, again: bool) -> tuple[Session, Layout]:
        model, held, said = self._find(again)
        number = MODELS[model]
        params: dict[str, Any] = {"serial_port": held.path if held else self.port, "mac_address": self.mac}
        if model == "ganglion":
            params["other_info"] = "fw:auto"
            if held is None and not self.port:
                number = GANGLION_BLUETOOTH
        if model.endswith("_wifi"):
            params.update(ip_address=self.ip, ip_port=self.ip_port or _free_port())
        dongle = held.path if held and model == "ganglion" else ""
        if held and dongle:  # its dongle leaves the bus while it is opened, and would come back under another name
            held.close()
            held = None
        session = Session(f"OpenBCI {model}", number, params, held)
        try:
            session.held = Held(dongle) if dongle else held
            self._configure(session, model, "On Daisy" in said)
            return session, self._layout_of(session, model, said)
        except BaseException:
            session.close()
            raise

    def _find(self, again: bool) -> tuple[str, Held | None, str]:
        """(model, its port if it has one, its banner)."""
        model = self.model
        if self.ip or model.endswith("_wifi"):
            return (model if model.endswith("_wifi") else _shield(self.ip)), None, ""
        if model == "ganglion" and not self.port:
            dongles = [p.path for p in ports() if p.device == DONGLES["2458", "0001"]]
            return model, Held(dongles[0]) if dongles and POSIX else None, ""
        path = self.port or only_port().path
        if model == "ganglion" or any(p.path == path and p.device == DONGLES["2458", "0001"] for p in ports()):
            return "ganglion", Held(path) if POSIX else None, ""
        if self.radio_channel and POSIX and not again:
            set_radio_channel(path, self.radio_channel)
        if not POSIX:
            self.port = path
            said = self._asked(path)
            return self._model(said), None, said
        held = Held(path)
        try:
            finding = check(held, scan=not again)
            if finding.state != "ready":
                raise finding.trouble()
            return self._model(finding.banner), held, finding.banner
        except BaseException:
            held.close()
            raise

    def _model(self, said: str) -> str:
        daisy = "On Daisy" in said
        if self.model == "daisy" and not daisy:
            raise DeviceTrouble(
                "The board says that it has no Daisy.",
                "It is not seated well, or there is none.",
                "Press it onto the Cyton and switch the board off and on; or --opt model=cyton.",
            )
        return "daisy" if daisy and self.model != "cyton" else "cyton"

    def _asked(self, path: str) -> str:
        """The banner through BrainFlow, where there is no termios."""
        session = Session("OpenBCI", MODELS["cyton"], {"serial_port": path})
        try:
            return session.tell("v")
        finally:
            session.close()

    # -- settings

    def _configure(self, session: Session, model: str, daisy: bool) -> None:
        if model.startswith("ganglion"):
            if self.rate and model == "ganglion_wifi":
                session.tell(f"~{_code(self.rate, GANGLION_RATES)}")
            if self.gain != (24,) or self.input != "normal":
                raise WrongUse("A Ganglion has no gain or input to set.", do="Leave out gain and input.")
            session.tell("n" if self.aux == "accel" else "N")
            return
        if model == "cyton" and daisy:
            session.tell("c")  # the Daisy is there, but not wanted
        wanted = self._commands(16 if model.startswith("daisy") else 8)
        if wanted:
            answer = session.tell("".join(wanted))
            if not model.endswith("_wifi") and (answer.count("Success") < len(wanted) or "Failure" in answer):
                raise DeviceTrouble(
                    "The board did not take its channel settings.",
                    f"It answered: {answer.strip()[:200] or 'nothing'}",
                    "Its firmware may be older than 3.0; or try again nearer to the dongle.",
                )
        if self.aux in ("analog", "digital"):
            session.tell(MODES[self.aux])
        if self.rate and not model.endswith("_wifi"):
            raise WrongUse(f"{model} has a fixed rate.", "Only over WiFi it can be set.", "Leave out rate.")
        if self.rate:
            session.tell(f"~{_code(self.rate, CYTON_RATES)}")

    def _commands(self, inputs: int) -> list[str]:
        """The channel settings that differ from the board's defaults: x CHANNEL POWER GAIN INPUT BIAS SRB2 SRB1 X."""
        if len(self.gain) not in (1, inputs):
            raise WrongUse(f"openbci:gain has {len(self.gain)} numbers.", f"It can have 1, or {inputs}: one for each input.")
        if too_high := [n for n in self.off if n > inputs]:
            raise WrongUse(f"openbci:off={too_high[0]}: the board has {inputs} inputs.")
        commands = []
        for i in range(inputs):
            gain = GAINS.index(self.gain[i % len(self.gain)])
            setting = f"{int(i + 1 in self.off)}{gain}{INPUTS[self.input]}{self.bias:d}{self.srb2:d}{self.srb1:d}"
            if setting != DEFAULT:
                commands.append(f"x{LETTERS[i]}{setting}X")
        return commands

    # -- what the rows are

    def _layout_of(self, session: Session, model: str, said: str) -> Layout:
        rows = described(session.id)
        eeg = rows["eeg_channels"]
        names = self.channels or (
            MONTAGE[: len(eeg)] if not model.startswith("ganglion") else [f"EEG{i + 1}" for i in range(4)]
        )
        if len(names) != len(eeg) or len(set(names)) < len(names):
            raise WrongUse(
                f"openbci:channels={'+'.join(names)} does not fit: {model} has {len(eeg)} inputs.",
                f"It needs {len(eeg)} different names, joined by +.",
            )
        channels, taken, scale = list(electrodes(names)), list(eeg), [1.0] * len(eeg)
        if self.aux == "accel":
            channels += [Channel(f"ACC{a}", "accel", "g") for a in AXES]
            taken += rows["accel_channels"]
            scale += [1.0] * 3
        elif self.aux == "analog" and "analog_channels" in rows:
            channels += [Channel(pin, "aux", "V") for pin in ("A5", "A6", "A7")]
            taken += rows["analog_channels"]
            scale += [VOLTS_PER_COUNT] * 3
        elif self.aux == "digital" and "other_channels" in rows:
            channels += [Channel(pin, "digital", "") for pin in ("D11", "D12", "D13", "D17", "D18")]
            taken += [rows["other_channels"][byte] for byte in (1, 2, 3, 4, 6)]
            scale += [1.0] * 5
        elif self.aux != "off":
            raise WrongUse(f"A {model} has no {self.aux} inputs.", do="--opt aux=accel or aux=off")
        firmware = next((line.split(":")[-1].strip() for line in said.splitlines() if line.startswith("Firmware")), "")
        info = {
            "driver": "brainflow",
            "model": model,
            "firmware": firmware,
            "gain": list(self.gain),
            "reference": self._reference,
        }
        slow = latency_timer(session.held.path) if session.held else None
        remark = f"FTDI latency timer at {slow} ms: data come in clumps; see bcikit doctor" if slow and slow > 1 else ""
        count = counting(session.id)
        return Layout(
            session.rate(),
            tuple(channels),
            tuple(taken),
            rows["timestamp_channel"],
            tuple(scale),
            rows["package_num_channel"],
            count,
            info,
            remark,
        )

    @property
    def _reference(self) -> str:
        return "SRB1" if self.srb1 else "SRB2" if self.srb2 else "none"

    # -- silence

    def silent(self, session: Session, seconds: float) -> bool:
        if session.id not in (MODELS["cyton"], MODELS["daisy"]):
            return seconds >= AGAIN_S
        if seconds >= self._woken + WAKE_S:
            self._woken = seconds
            session.tell("".join(self._commands(8 if session.id == MODELS["cyton"] else 16)) + "b")
        elif seconds < self._woken:
            self._woken = 0.0
        return False

    _woken = 0.0

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: real devices on the wall clock; the laws are for headless boards, tests drive this one by an emulator."""
        return iter(())


def _code(rate: int, known: tuple[int, ...]) -> int:
    if rate not in known:
        raise WrongUse(f"openbci:rate={rate} is not known.", f"It can be {', '.join(map(str, known))} Hz.")
    return known.index(rate)


def _free_port() -> int:
    """A TCP port that nobody has; the driver leaves the last one blocked for a minute."""
    import socket

    with socket.socket() as s:
        s.bind(("", 0))
        return s.getsockname()[1]


def _shield(ip: str) -> str:
    """The model under a WiFi shield, as it says itself."""
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://{ip}/board", timeout=3) as answer:
            said = json.loads(answer.read(65536))
    except (OSError, ValueError) as error:
        raise DeviceTrouble(
            f"No WiFi shield answers at {ip}.",
            f"{getattr(error, 'reason', error)}.",
            "Is this computer in the shield's network? It is 192.168.4.1 in direct mode. Or name the model.",
        ) from error
    if not said.get("board_connected"):
        raise DeviceTrouble("The WiFi shield has no board.", "The board is off or not seated.", "Switch both off and on.")
    return f"{said.get('board_type', 'cyton')}_wifi"
