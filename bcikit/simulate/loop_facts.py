"""The one table of the simulated closed loop: who steers, counts of their neurons, and how these change over days.

As `implant_facts.py`, on which it builds: nothing of `person.py`, `population.py` and the tasks has a delay, depth, noise
or size that is not here. `fingerprint()` is the table's hash, printed beside every figure, so that no figure is scored
with other parameters than those it names.
"""

from __future__ import annotations

from .facts import Fact
from .implant_facts import FACTS as IMPLANT

SOURCES = {
    "willett17": "F. R. Willett et al., J. Neural Eng. 14:016001, 2017, PubMed 27900953 (how people with implants steer: "
    "the piecewise-linear feedback controller); F. R. Willett et al., J. Neural Eng. 14:026010, 2017, "
    "doi:10.1088/1741-2552/aa5990 (their movement times, MT = a + b D + c / R^2)",
    "willett19": "F. R. Willett et al., Sci. Rep. 9:8881, 2019, doi:10.1038/s41598-019-44166-7 (gain and smoothing chosen "
    "by simulating that model)",
    "ratcliff": "R. Ratcliff and G. McKoon, Neural Comput. 20:873-922, 2008, doi:10.1162/neco.2008.12-06-420",
    "churchland": "M. M. Churchland et al., Nat. Neurosci. 13:369-378, 2010, doi:10.1038/nn.2501 (Fano factors)",
    "averbeck": "B. B. Averbeck et al., Nat. Rev. Neurosci. 7:358-366, 2006, doi:10.1038/nrn1888 (what units share bounds "
    "what many of them tell)",
    "jarosiewicz": "B. Jarosiewicz et al., J. Neural Eng. 10:046012, 2013, doi:10.1088/1741-2560/10/4/046012; V. Gilja et "
    "al., Nat. Neurosci. 15:1752-1757, 2012, doi:10.1038/nn.3265 (tuning differs between open and closed loop)",
    "perge": "J. A. Perge et al., J. Neural Eng. 10:036004, 2013, doi:10.1088/1741-2560/10/3/036004 (rates within a day)",
    "wilson": "G. H. Wilson et al., Nat. Biomed. Eng., 2025, doi:10.1038/s41551-025-01536-z (a month without recalibration)",
    "downey": "J. E. Downey et al., J. Neural Eng. 15:046016, 2018, doi:10.1088/1741-2552/aab7a0; J. C. Barrese et al., "
    "J. Neural Eng. 10:066014, 2013, doi:10.1088/1741-2560/10/6/066014 (units found again over days; failing channels)",
    "kim": "S.-P. Kim et al., IEEE Trans. Neural Syst. Rehabil. Eng. 19:193-203, 2011, doi:10.1109/TNSRE.2011.2107750; "
    "J. D. Simeral et al., J. Neural Eng. 8:025027, 2011, doi:10.1088/1741-2560/8/2/025027 (point and click)",
    "nuyujukian": "P. Nuyujukian et al., IEEE Trans. Biomed. Eng. 62:21-29, 2015, doi:10.1109/TBME.2014.2354697",
    "choice": "chosen; no source gives it as typical",
}

FACTS: dict[str, Fact] = {
    # the person
    "visual_s": Fact(0.2, "s", 0.15, 0.3, "delay with which the cursor is seen", SOURCES["willett17"]),
    "reaction_s": Fact(0.22, "s", 0.18, 0.4, "from a new target to the first intention towards it", SOURCES["willett17"]),
    "slow_s": Fact(
        0.12, "s", 0.1, 0.8, "the push falls below full nearer than a way of so long at top speed", SOURCES["willett19"]
    ),
    "sluggish": Fact(2.0, "", 1, 4, "how many of the decoder's time constants that is at least", SOURCES["willett19"]),
    "damping": Fact(0.15, "", 0, 1, "part of the push taken back at top speed", SOURCES["willett17"]),
    "learn_s": Fact(30.0, "s", 5, 300, "over which the person learns what the decoder does", SOURCES["willett17"]),
    "pause_rate": Fact(1.0, "1/min", 0, 6, "how often the person looks away", SOURCES["choice"]),
    "pause_s": Fact(1.0, "s", 0.3, 3, "for how long; exponential", SOURCES["choice"]),
    "click_drift": Fact(
        6.0, "1/s", 2, 20, "evidence for a click while the cursor seems on target, bound 1", SOURCES["ratcliff"]
    ),
    "click_noise": Fact(0.5, "1/sqrt(s)", 0.1, 2, "its noise", SOURCES["ratcliff"]),
    "click_s": Fact(0.14, "s", 0.08, 0.4, "how long the hand is closed in thought", SOURCES["kim"]),
    # their neurons, counted: rates and depths are those of the implant's table
    "fano": Fact(1.3, "", 1.1, 1.5, "variance of a count over its mean at a fixed rate", SOURCES["churchland"]),
    "shared": Fact(
        0.1, "", 0.02, 0.4, "noise of the intention that all units share, in a bin of 20 ms", SOURCES["averbeck"]
    ),
    "shared_s": Fact(0.06, "s", 0.02, 0.3, "its time constant", SOURCES["averbeck"]),
    "common": Fact(
        1.5, "Hz", 0.3, 5, "shared fluctuations of rates that say nothing of the intention, each unit", SOURCES["averbeck"]
    ),
    "common_s": Fact(0.3, "s", 0.05, 2, "their time constant", SOURCES["averbeck"]),
    "common_n": Fact(5, "", 2, 20, "how many of them", SOURCES["averbeck"]),
    "open_depth": Fact(0.7, "", 0.4, 1, "depth while observing to that while steering", SOURCES["jarosiewicz"]),
    "open_turn": Fact(
        25.0, "deg", 10, 50, "how far directions turn between the two (standard deviation)", SOURCES["jarosiewicz"]
    ),
    "click_depth": Fact(6.0, "Hz", 2, 20, "modulation by the closing hand, median", SOURCES["kim"]),
    "clicking": Fact(0.4, "", 0.2, 0.6, "part of the units that it modulates", SOURCES["kim"]),
    # hours and days
    "wander": Fact(1.5, "Hz", 0.5, 4, "a unit's baseline within a day (standard deviation)", SOURCES["perge"]),
    "wander_s": Fact(600.0, "s", 120, 3600, "its time constant", SOURCES["perge"]),
    "kept": Fact(
        0.91, "", 0.85, 0.98, "correlation of tuning from one day to the next, turnover included", SOURCES["wilson"]
    ),
    "turnover": Fact(0.4, "", 0.2, 0.6, "part of the units replaced by others in two weeks", SOURCES["downey"]),
    "baseline_day": Fact(0.25, "", 0.1, 0.5, "change of the logarithm of a baseline from day to day", SOURCES["perge"]),
    "death": Fact(0.1, "", 0, 0.3, "part of the channels that fall silent in a year", SOURCES["downey"]),
    "shock": Fact(0.3, "", 0.1, 0.5, "part of the units lost in a bad night", SOURCES["choice"]),
    # the screen, in widths of the workspace
    "top_speed": Fact(4.0, "1/s", 1, 6, "widths a second that a cursor may move at most", SOURCES["willett19"]),
    "dwell_s": Fact(0.3, "s", 0.2, 1, "stay that selects", SOURCES["nuyujukian"]),
    "reach": Fact(0.35, "", 0.2, 0.5, "of center-out targets from the middle", SOURCES["willett17"]),
    "radius": Fact(0.06, "", 0.02, 0.15, "of round targets", SOURCES["willett17"]),
    "timeout_s": Fact(10.0, "s", 5, 20, "for a target of center-out, pursuit and Fitts", SOURCES["willett17"]),
    "fitts_n": Fact(13, "", 9, 25, "targets in a ring (ISO 9241-411)", SOURCES["kim"]),
}


def fact(name: str) -> float:
    """The value of one row of the table."""
    return FACTS[name].value


def fingerprint() -> str:
    """Twelve digits of the SHA-256 of this table and the implant's: names and values."""
    import hashlib

    rows = sorted([(n, f.value) for n, f in FACTS.items()] + [(f"implant {n}", f.value) for n, f in IMPLANT.items()])
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
