"""What the LSL board and the LSL outlet share: the library made quiet, streams found, their metadata read, clocks compared.

Protocol facts: https://github.com/sccn/liblsl; layout of the metadata: https://github.com/sccn/xdf/wiki/Meta-Data.
"""

from __future__ import annotations

import ctypes
import os
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..core.clock import WALL, Clock
from ..core.errors import DeviceTrouble, nearest
from ..core.stream import Channel

FIRST_PORT, PORTS = 16572, 32  # where liblsl lets outlets listen
GATHER_S = 0.5  # streams answer within a few milliseconds on a wire, some hundred on a radio
SHORT_BYTES = 65_536  # a description without its metadata
KINDS = {
    "ecg": "ecg", "ekg": "ecg", "accelerometer": "accel", "acc": "accel", "gyroscope": "gyro", "trigger": "marker",
    "stim": "marker", "markers": "marker", "misc": "aux", "gaze": "gaze", "nirs": "nirs",
}  # fmt: skip
UNITS = {"uv": 1.0, "microvolt": 1.0, "v": 1e6, "volt": 1e6, "mv": 1e3, "millivolt": 1e3, "nv": 1e-3, "nanovolt": 1e-3}
FORMATS = ("undefined", "float32", "double64", "string", "int32", "int16", "int8", "int64")


@cache
def library() -> Any:
    """The module pylsl, its log silenced unless the user's own lsl_api.cfg says what to log. Raises DeviceTrouble."""
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:
        raise DeviceTrouble(
            "The library of the Lab Streaming Layer (liblsl) cannot be loaded.",
            str(error).strip().splitlines()[0] if str(error).strip() else "",
            "pip install pylsl    (where its wheel brings no liblsl: github.com/sccn/liblsl/releases, then set PYLSL_LIB)",
        ) from error
    places = [os.environ.get("LSLAPICFG", ""), "lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg"]
    own = next((p for place in places if place and (p := Path(place).expanduser()).is_file()), None)
    said = own.read_text(errors="replace") if own else ""
    if "[log]" not in said:
        try:
            pylsl.set_config_content(f"{said}\n[log]\nlevel = -3\n")
        except (AttributeError, NotImplementedError):  # an older library talks on stderr
            pass
    return pylsl


def offset(clock: Clock = WALL) -> float:
    """Seconds to add to LSL's clock of this machine to have `clock`: 0 on Linux, where they are the same."""
    lsl, best = library(), (float("inf"), 0.0)
    for _ in range(5):
        before, theirs, after = clock.now(), lsl.local_clock(), clock.now()
        best = min(best, (after - before, (before + after) / 2 - theirs))
    return best[1] if abs(best[1]) > 1e-4 else 0.0


def correction(inlet: Any, timeout: float = 0.0) -> tuple[float, float] | None:
    """(seconds to add to the sender's stamps to have this machine's LSL clock, uncertainty: half the round trip), or None
    where no estimate came in `timeout`. Measured as NTP does, renewed by liblsl every two seconds."""
    call = library().lib.lib.lsl_time_correction_ex
    call.restype = ctypes.c_double
    remote, trip, error = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    add = call(inlet.obj, ctypes.byref(remote), ctypes.byref(trip), ctypes.c_double(timeout), ctypes.byref(error))
    return None if error.value else (float(add), trip.value / 2)


# -- finding


@dataclass(frozen=True)
class Wanted:
    """Which stream: all that is given must match. address: HOST or HOST:PORT, asked directly instead of the network."""

    name: str | None = None
    type: str | None = None
    source_id: str | None = None
    address: str | None = None

    def fits(self, info: Any) -> bool:
        pairs = ((self.name, info.name), (self.type, info.type), (self.source_id, info.source_id))
        return all(want is None or want == has() for want, has in pairs)

    def __str__(self) -> str:
        asked = [f"{k}={v}" for k, v in vars(self).items() if v is not None]
        return " ".join(asked) or "any"

    def look(self, wait: float, at_once: bool = False) -> tuple[list[Any], list[Any]]:
        """(streams that fit, all that were seen), after `wait` seconds or, `at_once`, with the first that fits."""
        if self.address is not None:
            seen = _at(self.address, wait)
        elif at_once and (query := self._query()):
            seen = library().resolve_bypred(query, 1, wait)
        else:
            seen = library().resolve_streams(wait)
        return [i for i in seen if self.fits(i)], seen

    def _query(self) -> str:
        pairs = (("name", self.name), ("type", self.type), ("source_id", self.source_id))
        given = [(k, v) for k, v in pairs if v is not None]
        if any("'" in v for _, v in given):  # XPath has no escape for it
            return ""
        return " and ".join(f"{k}='{v}'" for k, v in given)

    def one(self, wait: float) -> Any:
        """The one stream that fits. Raises DeviceTrouble where none comes within `wait` seconds, or several are there."""
        end = time.monotonic() + wait
        while True:
            found, seen = self.look(min(GATHER_S, wait))
            if len(found) == 1:
                return found[0]
            if found:
                raise DeviceTrouble(
                    f"{len(found)} LSL streams fit ({self}): which one?",
                    "\n".join(f"  {about(i)}" for i in found[:12]),
                    self._choice(found),
                )
            if time.monotonic() >= end:
                raise self._none(seen, wait)

    def _choice(self, found: list[Any]) -> str:
        for key in ("source_id", "name", "type"):
            values = {getattr(i, key)() for i in found}
            if len(values) == len(found):
                return f"Say which: --opt {key}={getattr(found[0], key)()}"
        return "They cannot be told apart by name, type or source_id: --opt address=HOST:PORT, or end all but one."

    def _none(self, seen: list[Any], wait: float) -> DeviceTrouble:
        what = f"No LSL stream fits ({self}) after {wait:g} s."
        if seen:
            near = nearest(self.name or self.source_id or "", [i.name() for i in seen] + [i.source_id() for i in seen])
            return DeviceTrouble(what, "There are:\n" + "\n".join(f"  {about(i)}" for i in seen[:12]), near)
        if self.address is not None:
            return DeviceTrouble(what, "Nothing there speaks LSL: a wrong address, a firewall, or no sender.")
        return DeviceTrouble(
            what,
            "No stream answers at all: no sender is running, or a firewall, VPN or Docker keeps multicast from passing.",
            "Where discovery fails: --opt address=HOST:PORT (LSL's ports begin at 16572). bcikit doctor tests the network.",
        )


def about(info: Any) -> str:
    """One line about a stream, for lists."""
    rate = f"{info.nominal_srate():g} Hz" if info.nominal_srate() else "irregular"
    return (
        f"name={info.name()!r} type={info.type()!r} ({info.channel_count()} ch, {rate})"
        f" source_id={info.source_id()!r} host={info.hostname()!r}"
    )


def _at(address: str, wait: float) -> list[Any]:
    """The streams that listen at HOST:PORT, or, without a port, on LSL's ports of HOST."""
    host, _, port = address.rpartition(":") if address.rpartition(":")[2].isdigit() else (address, "", "")
    try:
        ip = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise DeviceTrouble(
            f"The host {host!r} is not known.", f"{error.strerror}.", "Write --opt address=HOST:PORT."
        ) from error
    end, found = time.monotonic() + wait, []
    for n in [int(port)] if port else range(FIRST_PORT, FIRST_PORT + PORTS):
        try:
            left = max(end - time.monotonic(), 0.05)
            if info := _described(str(ip), ask(str(ip), n, b"LSL:shortinfo\r\n\r\n", SHORT_BYTES, left)):
                found.append(info)
        except (OSError, OverflowError, ElementTree.ParseError):
            continue
    return list({i.uid(): i for i in found}.values())


def ask(host: str, port: int, request: bytes, limit: int, wait: float) -> bytes:
    """What an LSL sender answers, at most `limit` bytes within `wait` seconds; OSError where it does not."""
    end, got = time.monotonic() + wait, bytearray()
    with closing(socket.create_connection((host, port), timeout=wait)) as line:
        line.sendall(request)
        while len(got) <= limit:
            line.settimeout(max(end - time.monotonic(), 0.01))
            part = line.recv(65_536)
            if not part:
                return bytes(got)
            got += part
    raise OSError("too long an answer")


def _described(ip: str, xml: bytes) -> Any:
    """liblsl's description of a stream from a sender's answer; the answer does not say the address, so it is put in."""
    if not xml:
        return None
    lsl, root = library(), _parsed(xml)
    field = root.find("v6address" if ":" in ip else "v4address")
    if field is None or root.tag != "info":
        return None
    field.text = ip
    call = lsl.lib.lib.lsl_streaminfo_from_xml
    call.restype = ctypes.c_void_p
    handle = call(ctypes.c_char_p(ElementTree.tostring(root)))
    return lsl.StreamInfo(handle=handle) if handle else None


# -- metadata


@dataclass(frozen=True)
class Described:
    """What a sender says of its stream. scale: by which each channel is multiplied to have its unit here."""

    name: str
    type: str
    rate: float
    format: str
    channels: tuple[Channel, ...]
    scale: tuple[float, ...]
    source_id: str
    hostname: str
    notes: tuple[str, ...]

    def same_as(self, other: Described) -> str:
        """'' or what differs from the stream that was there before."""
        if self.channels != other.channels or self.format != other.format:
            mine, theirs = [c.name for c in self.channels], [c.name for c in other.channels]
            return f"{len(mine)} channels ({', '.join(mine[:8])}) instead of {len(theirs)} ({', '.join(theirs[:8])})"
        return f"{self.rate:g} Hz instead of {other.rate:g} Hz" if self.rate != other.rate else ""


def describe(inlet: Any, wait: float, max_bytes: int, max_channels: int) -> Described:
    """Metadata of an inlet's stream. Raises DeviceTrouble beyond the limits, OSError where the sender does not answer."""
    lsl = library()
    try:
        info = inlet.info(wait)
    except (lsl.util.TimeoutError, lsl.util.LostError) as error:
        raise OSError(f"the sender does not answer: {error}") from error
    n = info.channel_count()
    if not 0 < n <= max_channels:
        raise DeviceTrouble(f"The LSL stream {info.name()!r} has {n} channels.", f"At most {max_channels} are taken.",
                            f"--opt max_channels={n}" if n else "")  # fmt: skip
    xml = info.as_xml()
    if len(xml) > max_bytes:
        raise DeviceTrouble(
            f"The metadata of the LSL stream {info.name()!r} are {len(xml) / 1e6:.1f} MB long.",
            f"At most {max_bytes / 1e6:g} MB are read: so much is a fault of the sender, or an attack.",
        )
    notes = []
    try:
        said = _parsed(xml.encode()).findall("desc/channels/channel")
    except ElementTree.ParseError as error:
        said, notes = [], [f"the metadata cannot be read ({error})"]
    if said and len(said) != n:
        notes.append(f"the metadata name {len(said)} channels of {n}")
    nodes = [*said[:n], *[None] * (n - len(said))]
    described = [_channel(c, i, info.type()) for i, c in enumerate(nodes)]
    channels: list[Channel] = []
    taken: set[str] = set()
    for c, _ in described:
        name = next(x for x in (c.name, *(f"{c.name}-{i}" for i in range(2, n + 2))) if x not in taken)
        taken.add(name)
        channels.append(Channel(name, c.kind, c.unit, c.position))
    silent = [c.name for c, x in zip(channels, nodes, strict=True) if c.kind == "eeg" and not _text(x, "unit")]
    if silent:
        notes.append("the sender states no unit: taken as µV")
    form = FORMATS[info.channel_format()]
    return Described(
        info.name(), info.type(), info.nominal_srate(), form, tuple(channels), tuple(f for _, f in described),
        info.source_id(), info.hostname(), tuple(notes),
    )  # fmt: skip


def _parsed(xml: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        raise DeviceTrouble("The metadata of the LSL stream define entities.", "No sender needs that; they are not read.")
    return ElementTree.fromstring(xml)


def _text(node: ElementTree.Element | None, key: str) -> str:
    text = (node.findtext(key) or "").strip() if node is not None else ""
    return "".join(c for c in text[:200] if c.isprintable())  # it is shown on terminals


def _channel(node: ElementTree.Element | None, i: int, stream_type: str) -> tuple[Channel, float]:
    """One channel and the factor that brings it to its unit: voltages are given in µV."""
    kind = (_text(node, "type") or stream_type).lower()
    kind = KINDS.get(kind, kind) or "aux"
    name = _text(node, "label") or f"{kind}{i + 1}"
    unit = _text(node, "unit")
    factor = UNITS.get(unit.lower().rstrip("s").replace("µ", "u").replace("μ", "u").replace("micro v", "microv"))
    if unit.startswith("M"):  # MV is not mV
        factor = None
    if factor is not None or (kind == "eeg" and not unit):
        unit = "µV"
    place = node.find("location") if node is not None else None
    try:
        x, y, z = (float(_text(place, axis)) / 1000 for axis in "XYZ")  # the XDF convention is millimetres
        position = (x, y, z) if x == x and y == y and z == z else None
    except ValueError:
        position = None
    return Channel(name, kind, unit, position), factor or 1.0


def metadata(stream_info: Any, channels: tuple[Channel, ...], facts: dict[str, str]) -> None:
    """Write channels and facts into an outlet's description, in the XDF convention (positions in millimetres)."""
    desc = stream_info.desc()
    desc.append_child_value("manufacturer", "bcikit")
    listed = desc.append_child("channels")
    for c in channels:
        node = listed.append_child("channel")
        unit = "microvolts" if c.unit == "µV" else c.unit
        for key, value in (("label", c.name), ("unit", unit), ("type", c.kind.upper())):
            node.append_child_value(key, value)
        if c.position is not None:
            place = node.append_child("location")
            for axis, metres in zip("XYZ", c.position, strict=True):
                place.append_child_value(axis, f"{metres * 1000:.6g}")
    own = desc.append_child("bcikit")
    for key, value in facts.items():
        own.append_child_value(key, value)


__all__ = ["Described", "Wanted", "about", "correction", "describe", "library", "metadata", "offset"]
