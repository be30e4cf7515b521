"""bcikit scenario: a simulated person does something with a simulated effector, over many seeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

GROUP = "Stream"
BINS_HZ, FILM_HZ = 50, 25  # of a scenario, and of its film; a picture a second


@click.command()
@click.argument("name", required=False)
@click.option("--seeds", default=1, metavar="N", help="How many seeded trials.  [1]")
@click.option("--first", default=0, metavar="N", help="The first seed.  [0]")
@click.option("--set", "changes", multiple=True, metavar="KEY=NUMBER", help="Another number than the page's, as units=96.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line a trial; the last line is the summary.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for pictures (PNG) of the first trial.")
@click.option("--film", type=click.Path(path_type=Path), help="File for a film (MP4) of the first trial.")
def command(
    name: str | None,
    seeds: int,
    first: int,
    changes: tuple[str, ...],
    as_json: bool,
    pictures: Path | None,
    film: Path | None,
) -> None:
    """Run a scenario headless (without a NAME: list them), or an effector by what its own commands say. All is simulated.
    `bcikit demo NAME` shows it live."""
    import json
    from dataclasses import asdict

    from ..core.errors import WrongUse
    from ..ethics.gate import Gate
    from ..tasks import scenario, show

    if name is None:
        for one in scenario.names():
            click.echo(f"{one:14} {scenario.load(one)['about']}")
        return
    if not 1 <= seeds <= 100_000 or first < 0:
        raise WrongUse("--seeds can be 1 to 100000, --first 0 or more.")
    if film is not None and film.suffix.lower() != ".mp4":
        raise WrongUse(f"A film is an MP4 file; {str(film)!r} is no name for one.", do=f"--film {film.stem or name}.mp4")
    name, numbers = show.known(name), _numbers(changes)
    outcomes = []
    for seed in range(first, first + seeds):
        with _watcher(pictures, film, seed == first) as watch:
            outcomes.append(show.run(name, seed, Gate(), watch, numbers))
        o = outcomes[-1]
        if as_json:
            click.echo(json.dumps(asdict(o)))
        else:
            more = "  ".join(f"{k} {v:.3g}" for k, v in o.more.items())
            click.echo(f"seed {o.seed:4}  {'done' if o.success else 'not ':4} {o.seconds:6.1f} s  {more}  {o.why}")
    _sum(" ".join([name, *changes]), outcomes, as_json)


def _numbers(changes: tuple[str, ...]) -> dict[str, float]:
    from ..core.errors import WrongUse

    found = {}
    for one in changes:
        key, _, value = one.partition("=")
        try:
            found[key] = float(value)
        except ValueError:
            raise WrongUse(f"--set {one} is no number for a key.", do="--set units=96") from None
    return found


def _sum(name: str, outcomes: list[Any], as_json: bool) -> None:
    import json

    import numpy as np
    from scipy.stats import binomtest

    good = sum(o.success for o in outcomes)
    low, high = binomtest(good, len(outcomes)).proportion_ci(method="exact")
    most, least = ({k: float(f([o.more[k] for o in outcomes])) for k in outcomes[0].more} for f in (np.nanmax, np.nanmin))
    row = {"scenario": name, "simulated": True, "success": good, "trials": len(outcomes), "rate": good / len(outcomes)}
    row |= {"low_95": low, "high_95": high, "smallest": least, "largest": most}
    if as_json:
        click.echo(json.dumps(row))
    else:
        click.echo(f"{name} (simulated): {good} of {len(outcomes)}, 95 % interval {100 * low:.1f} to {100 * high:.1f} %")


@contextmanager
def _watcher(pictures: Path | None, film: Path | None, first: bool) -> Iterator[Any]:
    """What is called after each bin of the first trial, or None."""
    if not first or (pictures is None and film is None):
        yield None
        return
    from ..effectors._picture import Film, picture, write

    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    reel, count = None if film is None else Film(film, FILM_HZ), 0

    def watch(_: Any, effector: Any, around: Any) -> None:
        nonlocal count
        if reel is not None and count % (BINS_HZ // FILM_HZ) == 0:
            reel.add(picture(effector, around))
        if pictures is not None and count % BINS_HZ == 0:
            write(pictures / f"{count:05}.png", picture(effector, around))
        count += 1

    try:
        yield watch
    finally:
        if reel is not None:
            reel.close()
