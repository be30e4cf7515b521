"""bcikit windows: How long a decoder must look, and what stopping as soon as it is sure brings."""

from __future__ import annotations

import click

GROUP = "Decode"


@click.command()
@click.option("--data", required=True, metavar="CARD", help="The data set; `bcikit datasets` lists them.")
@click.option("--root", metavar="FOLDER", help="Where its files lie, if not where `bcikit datasets get` puts them.")
@click.option("--decoder", default="default", show_default=True, metavar="NAME", help="default, a decoder or an estimator.")
@click.option("--protocol", default="within", show_default=True, help="within, next-run, cross-session, cross-subject.")
@click.option("--classes", metavar="A,B", help="These classes alone; trials of others are only passed by.")
@click.option("--lengths", metavar="S,S", help="Of the windows, in seconds; else eighths of the card's.")
@click.option("--json", "as_json", is_flag=True, help="Lines of JSON; the last one holds the scores.")
def command(
    data: str, root: str | None, decoder: str, protocol: str, classes: str | None, lengths: str | None, as_json: bool
) -> None:
    """Bits a minute (causal) against the length of the window, and where each trial stops as soon as it is sure enough: by
    the stage `stopping` around the decoder, as it would run live. How sure that is, is chosen for each person on the others.

    \b
    bcikit windows --data ssvep-exo --root data/ssvep-exo --classes "13 Hz,21 Hz,17 Hz"
    """
    import json

    from ..core.errors import WrongUse
    from ..evaluate.stopping import windows

    try:
        seconds = [float(s) for s in lengths.split(",")] if lengths else []
    except ValueError:
        raise WrongUse(f"--lengths {lengths} is not a list of seconds.", do="Write it as --lengths 1,2,3.") from None
    chosen = [c.strip() for c in classes.split(",")] if classes else []
    said = windows(data, root, decoder, protocol, seconds, chosen)
    if as_json:
        click.echo(json.dumps(said, ensure_ascii=False))
        return
    click.echo(f"{said['data']}, {protocol}, {decoder}, causal\n  window   accuracy   bits/min")
    for row in said["windows"]:
        click.echo(f"  {row['length_s']:5.2f} s  {row['accuracy']:8.3f}   {row['bits_per_minute']:8.1f}")
    its = said["stopping"]
    click.echo(f"  stops when sure: {its['length_s']:.2f} s, {its['accuracy']:.3f}, {its['bits_per_minute']:.1f} bits/min")
    click.echo(
        f"  which is {said['ratio']:.2f} times the longest window's; from the cue, {said['ratio_from_cue']:.2f} times"
    )
    for who, one in its["per_subject"].items():
        told = f"{one['length_s']:.2f} s, {one['accuracy']:.3f}, {one['bits_per_minute']:.1f}"
        click.echo(f"    {who}: {told} (sure: {one['sure']:.2f})")
