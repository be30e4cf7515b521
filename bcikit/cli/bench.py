"""bcikit bench: how fast it is on this machine, beside what others offer for the same work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bench._measure import Row

GROUP = "Check"
WHAT = ("kernels", "throughput", "latency", "jitter", "peers", "supervisor", "evaluate", "artifacts", "gate")
LONG = ("loop", "kinematics", "hand", "eeg", "published")  # not among all
CERTIFIED_S = 20.0  # each chain of a certificate


@click.command(epilog=f"WHAT: {', '.join((*WHAT, *LONG))}, certify; all: kernels to gate.")
@click.argument("what", metavar="WHAT", type=click.Choice((*WHAT, *LONG, "certify", "all")))
@click.option("--json", "as_json", is_flag=True, help="A JSON line a row; the last line is the summary.")
@click.option("--channels", default="1024", metavar="N[,N...]", help="Numbers of channels.  [1024]")
@click.option("--rate", default=30_000.0, metavar="HZ", help="Sampling rate of the simulated array.  [30000]")
@click.option("--seconds", default=5.0, metavar="S", help="How long each contender runs; loop: row raw.  [5; certify: 20]")
@click.option("--cores", default=1, metavar="N", help="throughput, jitter: cores that share the channels.  [1]")
@click.option("--ring", is_flag=True, help="jitter: the board in a process of its own, through shared memory.")
@click.option("--board", metavar="NAME", help="latency: your own rig, as NAME or NAME:key=value,...")
@click.option("--stage", "stages", multiple=True, metavar="NAME[:k=v,...]", help="latency --board: the line behind it.")
@click.option("--subject", metavar="S", help="latency --board: who is at it.")
@click.option("--trials", default=20, metavar="N", help="supervisor: how often each fault is tried.  [20]")
@click.option("--rows", metavar="A,B", help="loop, eeg, supervisor: these rows alone; kinematics: these sets, as falcon-m1.")
@click.option(
    "--root",
    default="../shared/data",
    metavar="FOLDER",
    help="kinematics, hand, published: where the recordings lie.",
    show_default=True,
)
@click.option("--data", default="", metavar="NAME", help="published: this set alone; its files may lie in --root itself.")
@click.option("--seeds", type=click.IntRange(2, 100), default=10, metavar="N", help="loop, eeg: simulated people.  [10]")
@click.option("--days", type=click.IntRange(1, 3650), default=60, metavar="N", help="loop: days without labels.  [60]")
@click.option("--setup", is_flag=True, help="peers, evaluate: make the environment of the peers that need one of their own.")
@click.option("--out", type=click.Path(path_type=Path), help="certify: file for the signed certificate (JSON).")
@click.option("--check", type=click.Path(path_type=Path, exists=True), help="certify: is this certificate genuine?")
@click.pass_context
def command(
    ctx: click.Context,
    what: str,
    as_json: bool,
    channels: str,
    rate: float,
    seconds: float,
    cores: int,
    ring: bool,
    board: str | None,
    stages: tuple[str, ...],
    subject: str | None,
    trials: int,
    rows: str | None,
    root: str,
    data: str,
    seeds: int,
    days: int,
    setup: bool,
    out: Path | None,
    check: Path | None,
) -> None:
    """Time the inner loops, the chain from raw counts to features, the latency, the worst stall, or all of them; `certify`
    is the timing certificate of this machine: the whole chain, expected against observed; exit 1 where an application may
    not be run.

    Contenders take turns in one run; percentiles are microseconds a chunk (latency: a command). ratio: how many times faster
    than the first row. error: the largest difference of the numbers, of the signal's rms."""
    import json

    from ..bench import _measure
    from ..core.errors import WrongUse

    if what == "certify":
        from ._certified import certified

        usual = ctx.get_parameter_source("seconds") is click.core.ParameterSource.DEFAULT
        ctx.exit(certified(CERTIFIED_S if usual else seconds, out, check))
    try:
        counts = [int(n) for n in channels.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or max(counts) > 65_536:
        raise WrongUse(f"--channels {channels} is not a list of numbers.", "It can be 1 to 65536, as 256,1024.")
    if not 0.05 <= seconds <= 86_400 or not 1000 <= rate <= 100_000:
        raise WrongUse("--seconds can be 0.05 to 86400, --rate 1000 to 100000.")
    if not 1 <= cores <= 64:
        raise WrongUse(f"--cores {cores} is out of bounds.", "It can be 1 to 64.")
    if board is not None and what != "latency":
        raise WrongUse("--board goes with bench latency alone.", do=f"bcikit bench latency --board {board}")
    if what in LONG:
        _long(what, rows, root, data, seeds, days, seconds, as_json)
        return
    if setup:
        from ..bench._remote import set_up

        for peer in ("moabb",) if what == "evaluate" else ("ezmsg", "mne_lsl", "timeflux"):
            set_up(peer, lambda text: click.echo(text, err=True))
        return
    machine = _measure.machine()
    click.echo(json.dumps({"machine": machine}) if as_json else "  ".join(f"{k}: {v}" for k, v in machine.items()))
    for one in WHAT if what == "all" else (what,):
        if not as_json:
            click.echo(f"\n{click.style(one, bold=True)}")
        for count in counts[: 1 if one in ("latency", "peers", "supervisor", "evaluate", "artifacts", "gate") else None]:
            _show(_rows(one, count, counts, rate, seconds, cores, ring, board, stages, subject, trials, rows), as_json)


def _long(what: str, rows: str | None, root: str, data: str, seeds: int, days: int, seconds: float, as_json: bool) -> None:
    """The simulated closed loops (cursor, EEG), recorded movement, the hand moved by imagery, or what was published of sets
    beside ours: a line a figure."""
    import json

    from ..bench import eeg, hand, kinematics, loop
    from ..bench.published import published

    if what in ("hand", "published"):
        for line in hand.hand(root) if what == "hand" else published(root, data):
            click.echo(json.dumps(line) if as_json else _said(line))
        return
    usual = {"loop": loop.ROWS, "eeg": eeg.KINDS, "kinematics": kinematics.SETS}[what]
    wanted = _known(rows, usual, kinematics.known() if what == "kinematics" else ())
    people = range(1, seeds + 1)
    made = {
        "loop": lambda: loop.loop(wanted, people, days, seconds),
        "eeg": lambda: eeg.eeg(wanted, people),
        "kinematics": lambda: kinematics.kinematics(root, wanted),
    }
    for line in made[what]():
        click.echo(json.dumps(line) if as_json else _said(line))


def _known(rows: str | None, usual: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """The rows asked for, of the `known` ones; the usual ones where none was."""
    from ..core.errors import WrongUse, nearest

    known = list(known or usual)
    wanted = [r.strip() for r in rows.split(",")] if rows else list(usual)
    for row in wanted:
        if row not in known:
            raise WrongUse(f"There is no row {row!r}.", f"There are {', '.join(known)}.", nearest(row, known))
    return wanted


def _said(line: dict[str, Any]) -> str:
    def one(v: Any) -> str:
        if isinstance(v, dict) and "ci" in v:
            return f"{v['mean']:.3g} ({v['ci'][0]:.3g} to {v['ci'][1]:.3g})"
        if isinstance(v, list):
            return " / ".join(map(one, v))
        return f"{v:.4g}" if isinstance(v, float) else str(v)

    line = dict(line)
    head = f"{line.pop('row', ''):44} "
    if "ci" in line:
        head += f"{one({'mean': line.pop('mean'), 'ci': line.pop('ci')}):24}"
    return head + "  ".join(f"{k} {one(v)}" for k, v in line.items())


def _rows(
    what: str,
    count: int,
    counts: list[int],
    rate: float,
    seconds: float,
    cores: int,
    ring: bool,
    board: str | None,
    stages: tuple[str, ...],
    subject: str | None,
    trials: int,
    rows: str | None,
) -> Iterable[Any]:
    from ..ethics.gate import Gate

    if what == "kernels":
        from ..bench.kernels import kernels

        return kernels(count, rate, seconds)
    if what == "throughput":
        from ..bench.throughput import throughput

        return throughput(count, rate, seconds, cores)
    if what == "gate":
        from ..bench.gate import costs

        return costs(seconds)
    if what == "jitter":
        from ..bench.jitter import jitter

        return jitter(count, rate, seconds, Gate(), cores, ring)
    if what == "supervisor":
        from ..bench.supervisor import ROWS, supervisor

        return supervisor(trials, seconds, _known(rows, ROWS))
    if what == "peers":
        from ..bench.peers import peers

        return peers(seconds)
    if what == "artifacts":
        from ..bench.artifacts import artifacts

        return artifacts()
    if what == "evaluate":
        from ..bench.evaluation import evaluation

        return evaluation(seconds)
    from ..bench.latency import latency, rig

    if board is None:
        return latency(counts, seconds, Gate())
    from ..core.find import parse
    from ._go import allowed

    gate, made = Gate(), parse("board", board)
    if made.live:
        made.label = allowed(gate, subject, ["effector"])
    return rig(made, [parse("stage", text) for text in stages], gate, seconds)


def _show(rows: Iterable[Row | dict[str, Any] | str], as_json: bool) -> None:
    import json

    if not as_json:
        click.echo(f"{'':52}{'p50':>10}{'p99':>10}{'p99.9':>10}{'worst':>10} µs {'ratio':>7}{'x real time':>12}{'error':>9}")
    for row in rows:
        if isinstance(row, str):
            if not as_json:
                click.echo(row)
        elif isinstance(row, dict):
            from ..bench._measure import _rounded

            text = json.dumps({k: _rounded(v) for k, v in row.items()})
            click.echo(text if as_json else f"  {text}")
        elif as_json:
            click.echo(json.dumps(row.as_dict()))
        else:
            _table(row)


def _table(row: Row) -> None:
    def cell(value: float | None, width: int = 9, form: str = ".4g") -> str:
        return f"{'-' if value is None else format(value, form):>{width}}"

    times = "".join(
        cell(v, 10, ".4g" if v is None or v < 1000 else ",.0f") for v in (row.us_p50, row.us_p99, row.us_p999, row.us_worst)
    )
    rest = cell(row.ratio, 7, ".3g") + cell(row.real_time_factor, 12, ".3g") + cell(row.error, 9, ".1e")
    click.echo(f"{row.name[:52]:52}{times}    {rest}")
    if row.note:
        click.echo(f"{'':4}{row.note}")
    if parts := row.more.get("parts_ms"):
        click.echo(f"{'':4}" + ", ".join(f"{name} {ms:g} ms" for name, ms in parts.items()))
