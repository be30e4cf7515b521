"""bcikit demo: A simulated person with a simulated implant drives a cursor: on a page of the browser, or headless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..tasks.play import CursorDemo

GROUP = "Stream"
DECODERS = ("prit", "rti", "known", "static", "kalman", "refit", "ridge", "gru")
FEATURES = ("crossings", "power", "both")
TASKS = ("grid", "center-out", "pursuit", "fitts", "keyboard")
EEG = ("mi", "ssvep", "p300")


@click.command()
@click.argument("what", default="cursor")
@click.option("--channels", type=click.IntRange(8, 16384), default=1024, show_default=True, metavar="N")
@click.option("--side", type=click.IntRange(2, 60), default=6, show_default=True, metavar="N", help="The grid is N x N.")
@click.option(
    "--task", type=click.Choice(TASKS), default="grid", show_default=True, help="What the cursor is to do on the screen."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, metavar="N")
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    metavar="S",
    help="Of use (with --days: a day); headless 60, else without end.",
)
@click.option("--days", type=click.IntRange(0, 3650), default=0, metavar="N", help="Nights pass, each behind 120 s of use.")
@click.option(
    "--decoder", type=click.Choice(DECODERS), default="prit", show_default=True, help="What decodes, and learns by what."
)
@click.option("--calibrate", is_flag=True, help="Calibrate on the page, though a calibration is shipped for this implant.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Of the page; any free one if left out."
)
@click.option("--no-browser", is_flag=True, help="Print the page's address, and open nothing.")
@click.option("--headless", is_flag=True, help="No page: as fast as it goes, the same numbers for the same seed.")
@click.option("--raw", is_flag=True, help="From 30 kHz of every electrode, not from counts.")
@click.option(
    "--features", type=click.Choice(FEATURES), default="crossings", show_default=True, help="--raw: what is decoded of it."
)
@click.option("--clicks", is_flag=True, help="A decoded click selects, not a stay; calibrated with the rest.")
@click.option("--json", "as_json", is_flag=True, help="Headless: lines of JSON, the last one with the scores.")
@click.option("--record", metavar="FILE", help="Record counts, screen and events to an XDF file.")
@click.option(
    "--lapse", type=click.FloatRange(0, 1), metavar="P", help="EEG: share of what is asked that is missed.  [0.03]"
)
@click.pass_context
def command(
    ctx: click.Context,
    what: str,
    channels: int,
    side: int,
    task: str,
    seed: int,
    seconds: float | None,
    days: int,
    decoder: str,
    calibrate: bool,
    port: int,
    no_browser: bool,
    headless: bool,
    raw: bool,
    features: str,
    clicks: bool,
    as_json: bool,
    record: str | None,
    lapse: float | None,
) -> None:
    """A simulated person with a simulated implant drives WHAT: the cursor, a scenario (cup, gates, ...) or an effector (arm,
    drones, ...), live, on a page that only this machine can open; the cursor also --headless, after three simulated minutes
    of calibration. mi, ssvep, p300: a simulated person answers by EEG, after a calibration of a few simulated minutes.

    \b
    bcikit demo
    bcikit demo arm
    bcikit demo cursor --headless --seed 1 --json
    bcikit demo --raw --channels 96
    bcikit demo cursor --clicks
    bcikit demo --task keyboard
    bcikit demo p300
    bcikit demo p300 --headless --seed 1 --json

    --days: units are lost and others turn each night, and the decoder learns without being told the targets (prit, rti), is
    told them (known), or stays as it is (static): all of them a velocity Kalman filter whose gain has settled. Others, told
    the targets: with the gain of each moment (kalman), ReFIT-Kalman (refit), ridge regression on ten bins (ridge), a
    recurrent network (gru, with bcikit[deep]; while it learns, some 10 s at 96 channels, the cursor waits).

    bits_per_s: log2(N - 1) (correct - wrong) / t. throughput: the mean of log2(D / W + 1) / t. ceiling_bits_per_s: the same
    person, without pauses, through a decoder that makes no error. All of it is simulated; `parameters` is the hash of
    bcikit/simulate/loop_facts.py, where they stand.
    """
    from ..core.errors import WrongUse

    if what in EEG:
        _eeg(ctx, what, seed, lapse, record)
        return
    if what != "cursor":
        _effector(ctx, what, seed, seconds, port, no_browser)
        return
    if raw and channels < 32:
        raise WrongUse("An implant has 32 electrodes at least.", do="bcikit demo cursor --raw --channels 32")
    if raw and days:
        raise WrongUse("--days goes without --raw.", "No night passes for the simulated electrodes.")
    if raw and clicks:
        raise WrongUse("--clicks goes without --raw.", "The simulated electrodes hear no closing hand.")
    if features != "crossings" and not raw:
        raise WrongUse("--features goes with --raw.", "In counts there is nothing else to decode.")
    from ..tasks.play import CursorDemo

    demo = CursorDemo(channels, side, seed, seconds, days, decoder, raw, features, clicks, record, task)
    if headless:
        _headless(demo, as_json)
        return
    from ..view.web.cursor import CursorLive
    from ..view.web.server import serve

    if as_json:
        raise WrongUse("--json goes with --headless.", do="bcikit demo cursor --headless --json")
    serve(CursorLive(demo, calibrate), port, not no_browser, click.echo)


def _only(ctx: click.Context, ours: str, do: str) -> None:
    """Raises WrongUse where an option was given that what is shown does not know."""
    from ..core.errors import WrongUse

    given = {p for p in ctx.params if ctx.get_parameter_source(p) is not click.core.ParameterSource.DEFAULT}
    if others := given - {"what", "seed", "seconds", "port", "no_browser", *ours.split()}:
        names = ", ".join(sorted(f"--{'json' if p == 'as_json' else p}" for p in others))
        raise WrongUse(f"{names} does not go with {ctx.params['what']}.", do=do)


def _effector(ctx: click.Context, what: str, seed: int, seconds: float | None, port: int, no_browser: bool) -> None:
    from ..view.web.effector import EffectorLive
    from ..view.web.server import serve

    live = EffectorLive(what, seed, seconds)
    _only(ctx, "", f"Without a page: bcikit scenario {live.what} --json")
    serve(live, port, not no_browser, click.echo)


def _eeg(ctx: click.Context, what: str, seed: int, lapse: float | None, record: str | None) -> None:
    """On a page, or headless."""
    import json

    from ..bench.eeg import calibrated, person

    if not ctx.params["headless"]:
        from ..view.web.eeg import EegLive
        from ..view.web.server import serve

        _only(ctx, "lapse record", f"Without a page: bcikit demo {what} --headless --json")
        live = EegLive(what, seed, calibrated, lapse, ctx.params["seconds"], record)
        serve(live, ctx.params["port"], not ctx.params["no_browser"], click.echo)
        return
    _only(ctx, "lapse record headless as_json", f"bcikit demo {what} --headless --json")
    for line in person(what, seed, lapse, record=record):
        told = (f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items())
        click.echo(json.dumps(line) if ctx.params["as_json"] else "   ".join(told))


def _headless(demo: CursorDemo, as_json: bool) -> None:
    import json

    from ..core.clock import JumpClock
    from ..tasks.play import ceiling, play

    counted = demo.targets().choices > 0
    for line in play(demo, JumpClock()):
        if as_json:
            click.echo(json.dumps(line))
        elif "bits_per_s" in line:
            when = f"day {line['day']}" if demo.days else line["phase"]
            click.echo(f"{when:10} {line['time_s']:6.1f} s   {_score(line, counted)}")
    best = ceiling(demo, demo.use_s)
    if as_json:
        click.echo(json.dumps({**line, "ceiling_bits_per_s": best}))
    else:
        of = "" if best is None else f" of {best:.2f} that this person could reach"
        click.echo(f"{_score(line, counted)}{of} (simulated)")


def _score(line: dict[str, Any], counted: bool) -> str:
    """In bits/s where selections are `counted` so, else in targets and the throughput of those that were hit."""
    if counted:
        return f"{line['bits_per_s']:.2f} bits/s"
    return f"{line['correct']} targets, throughput {line['throughput'] or 0:.2f} bits/s"
