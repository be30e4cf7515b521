"""How the electrodes of a simulated implant touch the tissue: their impedance, which wanders from day to day, and the noise
that it brings. The table is its own, since counts of spikes know of no impedance: it is not in `loop_facts.fingerprint()`.
"""

from __future__ import annotations

import numpy as np

from .facts import Fact

PRASAD = (
    "A. Prasad and J. C. Sanchez, J. Neural Eng. 9:026028, 2012, doi:10.1088/1741-2560/9/2/026028 (measured daily, 21 weeks)"
)
CHOICE = "chosen so that a month shows it; no source gives it as typical"

FACTS: dict[str, Fact] = {
    "impedance": Fact(90e3, "ohm", 40e3, 150e3, "at 1 kHz, where units are best seen; median, log-normal", PRASAD),
    "spread": Fact(0.5, "", 0.2, 1.0, "standard deviation of its logarithm over electrodes", CHOICE),
    "daily": Fact(0.15, "", 0.02, 0.4, "standard deviation of what a day adds to its logarithm", CHOICE),
    "warm": Fact(310.0, "K", 308, 312, "of the body", "37 degrees Celsius"),
}
BOLTZMANN = 1.380649e-23  # J/K, exact (SI)


def fact(name: str) -> float:
    """The value of one row of the table."""
    return FACTS[name].value


def impedances(n: int, seed: int, day: int) -> np.ndarray:
    """(n,) ohm at 1 kHz on this day. The logarithm walks at random, drawn back to the median so that the spread over
    electrodes stays what it is on day 0. The same seed gives the same walk, whatever day is asked for."""
    rng, spread, daily = np.random.default_rng([seed, 26]), fact("spread"), fact("daily")
    keep = (1 - (daily / spread) ** 2) ** 0.5
    walk = spread * rng.standard_normal(n)
    for _ in range(day):
        walk = keep * walk + daily * rng.standard_normal(n)
    return fact("impedance") * np.exp(walk)


def thermal(ohm: np.ndarray, band_hz: float) -> np.ndarray:
    """µV², the thermal noise in so wide a band of an electrode whose impedance were all resistance: 4 k T R f, the most that
    it can be."""
    return 4e12 * BOLTZMANN * fact("warm") * ohm * band_hz
