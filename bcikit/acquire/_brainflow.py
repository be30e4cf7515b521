"""BrainFlow's side of a board: the library, its errors in words, one session, and what the rows of its array mean."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import DeviceTrouble
from ..core.stream import Channel
from ._ports import Held

KEEP_S = 60.0  # how much the driver's ring buffer holds

EXITS = {
    "UNABLE_TO_OPEN_PORT_ERROR": (
        "it cannot be opened",
        "Port or Bluetooth is missing, in use or not yours.",
        "bcikit doctor",
    ),
    "SER_PORT_ERROR": ("the port does not take its settings", "It may not be a serial port.", "bcikit doctor"),
    "BOARD_WRITE_ERROR": ("nothing can be written to the board", "It was unplugged or is out of reach.", ""),
    "BOARD_NOT_READY_ERROR": ("the board does not answer", "It is off, out of reach or used by another program.", ""),
    "SYNC_TIMEOUT_ERROR": ("the board sends nothing", "It is off, out of reach or not the model named.", ""),
    "INVALID_ARGUMENTS_ERROR": (
        "the driver refuses the settings",
        "A setting that this board needs is missing or wrong (port, ip, mac, serial_number, file).",
        "See bcikit boards, and brainflow.readthedocs.io, Supported Boards.",
    ),
    "UNSUPPORTED_BOARD_ERROR": ("this build of BrainFlow has no driver for it", "", "pip install --upgrade brainflow"),
    "ANOTHER_BOARD_IS_CREATED_ERROR": ("it is in use by this program already", "", "Close the first one."),
    "GENERAL_ERROR": ("the driver failed", "The device may be off, out of reach, or Bluetooth may be off.", ""),
}


def library() -> Any:
    """The module brainflow, imported when first needed; silent unless BCIKIT_DEBUG is set."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources, at the first call
            import brainflow
            from brainflow.board_shim import BoardShim

            (BoardShim.enable_dev_board_logger if os.environ.get("BCIKIT_DEBUG") else BoardShim.disable_board_logger)()
    except (ImportError, OSError) as error:
        do = "pip install 'brainflow>=5.16' 'setuptools<81'"
        raise DeviceTrouble("BrainFlow, which drives this board, cannot be used.", str(error), do) from error
    return brainflow


def trouble(name: str, error: Any) -> DeviceTrouble:
    """What a BrainFlowError means to a person."""
    exits = {e.value: e.name for e in library().BrainFlowExitCodes}
    code = exits.get(getattr(error, "exit_code", None), "")
    what, why, do = EXITS.get(code, (f"the driver failed ({code or error})", "", ""))
    return DeviceTrouble(f"{name}: {what}.", why, do or "BCIKIT_DEBUG=1 shows what the driver says.")


@dataclass(frozen=True)
class Layout:
    """What a session's rows mean. rows, scales: of BrainFlow's array, for each channel. counter: the row of the
    packet number; count: makes of a burst's numbers such that advance by one a sample and wrap around after `count.turn`;
    without them host time alone tells what is lost. remark: what the person should know all the time."""

    rate: float
    channels: tuple[Channel, ...]
    rows: tuple[int, ...]
    stamps: int
    scales: tuple[float, ...] = ()
    counter: int | None = None
    count: Any = None
    info: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""


class Session:
    """One prepared BrainFlow session. params: of BrainFlowInputParams. held: the port, closed with the session."""

    def __init__(self, name: str, board_id: int, params: Mapping[str, Any], held: Held | None = None) -> None:
        self.name, self.held = name, held
        self.id = board_id
        brainflow = library()
        from brainflow.board_shim import BoardShim, BrainFlowInputParams

        self.error = brainflow.BrainFlowError
        inputs = BrainFlowInputParams()
        for key, value in params.items():
            setattr(inputs, key, value)
        try:
            self.shim = BoardShim(board_id, inputs)
            self.shim.prepare_session()
        except self.error as error:
            self.close()
            raise trouble(name, error) from error
        except BaseException:
            self.close()
            raise

    def start(self, rate: float) -> None:
        with self._mapped():
            self.shim.start_stream(max(int(rate * KEEP_S), 1000))

    def tell(self, command: str) -> str:
        """A command to the board; its answer, which is '' while it streams."""
        with self._mapped():
            return self.shim.config_board(command)

    def rate(self) -> float:
        """Samples per second that the board says it gives now."""
        with self._mapped():
            return float(self.shim.get_board_sampling_rate())

    def count(self) -> int:
        return self.shim.get_board_data_count()

    def take(self) -> np.ndarray:
        """(rows, samples) that came since the last call."""
        return self.shim.get_board_data()

    @property
    def gone(self) -> bool:
        return self.held is not None and self.held.gone

    def close(self) -> None:
        """Idempotent. The driver's thread ends within the second that its read may last."""
        shim, self.shim = getattr(self, "shim", None), None
        if self.held is not None and self.held.gone:
            self.held.blunt()
        if shim is not None:
            with contextlib.suppress(self.error):
                if shim.is_prepared():
                    shim.release_session()
        if self.held is not None:
            self.held.close()

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except self.error as error:
            raise trouble(self.name, error) from error


# -- what the numbers of packets mean


class Pairs:
    """A Ganglion's packet bears two samples. Firmware 3 counts packets 0 to 99 (100 to 199 with 19 bits a sample): 200
    samples; firmware 2 counts 1 to 100 (101 to 200) and puts a single sample, number 0, between: 201."""

    def __init__(self) -> None:
        self.turn, self._number, self._second = 200, -1, True

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        out = np.zeros(len(numbers))
        for i, value in enumerate(numbers):
            n = int(value)
            self._second = n == self._number and not self._second
            alone = n == 0 and self._number != 0 and i + 1 < len(numbers) and numbers[i + 1] != 0
            if n == 200 or alone or (n == 100 and self._number == 99):
                self.turn = 201
            self._number = n
            if self.turn == 201:
                out[i] = (2 * ((n - 1) % 100 + 1) + self._second) % 201 if n else 1
            else:
                out[i] = 2 * (n % 100) + self._second
        return out


class Halves:
    """A Daisy's sample bears the even number of its first half. A second half whose first was lost comes with the number,
    and the first half, of the sample before: the same number again, which is dropped as repeated and counts as lost."""

    turn = 128

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        return numbers // 2


class Plain:
    """Numbers that advance by one with each sample."""

    def __init__(self, turn: int) -> None:
        self.turn = turn

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        return numbers


def counting(board_id: int) -> Pairs | Halves | Plain | None:
    """How a board numbers its samples; None where that is not known and host time alone tells what is lost."""
    if board_id in (1, 46):
        return Pairs()
    if board_id == 2:
        return Halves()
    if board_id == 4:
        return Plain(201)  # OpenBCI_Ganglion_Library.cpp, processData
    return Plain(256) if board_id in (-1, 0, 5, 6) else None


# -- what the rows of an array mean

KINDS = {  # BrainFlow's name: kind, unit, prefix of the channels' names
    "eeg": ("eeg", "µV", "EEG"),
    "emg": ("emg", "µV", "EMG"),
    "ecg": ("ecg", "µV", "ECG"),
    "eog": ("eog", "µV", "EOG"),
    "accel": ("accel", "g", "ACC"),
    "gyro": ("gyro", "°/s", "GYR"),
    "rotation": ("rotation", "", "ROT"),
    "magnetometer": ("magnetometer", "", "MAG"),
    "analog": ("aux", "", "AUX"),
    "ppg": ("ppg", "", "PPG"),
    "optical": ("optical", "", "OPT"),
    "eda": ("eda", "µS", "EDA"),
    "temperature": ("temperature", "°C", "TEMP"),
    "resistance": ("resistance", "Ω", "RES"),
}
AXES = ("X", "Y", "Z")


def electrodes(names: Iterable[str], kind: str = "eeg") -> tuple[Channel, ...]:
    """Channels in µV, each at the place of its 10-05 name if it has one."""
    from ..files.montage import position

    return tuple(Channel(n, kind, "µV", position(n)) for n in names)


def described(board_id: int) -> dict[str, Any]:
    """What BrainFlow says of a board. Raises DeviceTrouble where it has no driver for it."""
    error = library().BrainFlowError
    from brainflow.board_shim import BoardShim

    try:
        return BoardShim.get_board_descr(board_id)
    except error as e:
        raise trouble(f"BrainFlow's board {board_id}", e) from e


def layout(board_id: int, rate: float, info: Mapping[str, Any]) -> Layout:
    """The rows of any BrainFlow board, by its description. A row named under several kinds is taken as the first."""
    said = described(board_id)
    channels: list[Channel] = []
    rows: list[int] = []
    for key, (kind, unit, prefix) in KINDS.items():
        mine = [r for r in said.get(f"{key}_channels", ()) if r not in rows]
        named = [n.strip() for n in said.get("eeg_names", "").split(",")] if key == "eeg" else []
        ends = AXES if key in ("accel", "gyro", "magnetometer") and len(mine) == 3 else range(1, len(mine) + 1)
        names = named if len(named) == len(mine) else [f"{prefix}{end}" for end in ends]
        channels += electrodes(names) if kind == "eeg" else [Channel(n, kind, unit) for n in names]
        rows += mine
    if "battery_channel" in said:
        channels.append(Channel("BATTERY", "battery", "%"))
        rows.append(said["battery_channel"])
    count = counting(board_id)
    number = said.get("package_num_channel") if count else None
    return Layout(rate, tuple(channels), tuple(rows), said["timestamp_channel"], (), number, count, dict(info))
