"""The one table of what simulated EEG is made of: each number with its unit, its range in people and its source.

Nothing in `bcikit/simulate/` has an amplitude, rate or latency of the EEG that is not in this table. Amplitudes are those at
the electrode named, against linked ears. `low` and `high` bound what the source lets one expect of a healthy adult; where it
shows rather than states a number, they are read from it with judgement. Tests measure the simulated EEG, by other means
than it is made with, and hold it against them. Most people lie outside in something.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = {
    "aperiodic": "T. Donoghue et al., Nat. Neurosci. 23:1655-1665, 2020, doi:10.1038/s41593-020-00744-x; M. Gerster et al., "
    "Neuroinformatics 20:991-1012, 2022, doi:10.1007/s12021-022-09581-8",
    "barry": "R. J. Barry et al., Clin. Neurophysiol. 118:2765-2773, 2007, doi:10.1016/j.clinph.2007.07.028",
    "bentivoglio": "A. R. Bentivoglio et al., Mov. Disord. 12(6):1028-1034, 1997, doi:10.1002/mds.870120629",
    "corby": "J. C. Corby and B. S. Kopell, Psychophysiology 9:640-644, 1972, doi:10.1111/j.1469-8986.1972.tb00776.x",
    "entsoe": "Commission Regulation (EU) 2017/1485, Annex III: standard frequency range of +-50 mHz",
    "goncharova": "I. I. Goncharova et al., Clin. Neurophysiol. 114:1580-1593, 2003, doi:10.1016/S1388-2457(03)00093-2; "
    "A. van Boxtel, Psychophysiology 38:22-34, 2001, doi:10.1111/1469-8986.3810022",
    "herrmann": "C. S. Herrmann, Exp. Brain Res. 137:346-353, 2001, doi:10.1007/s002210100682; A. M. Norcia et al., "
    "J. Vision 15(6):4, 2015, doi:10.1167/15.6.4",
    "huhta": "J. C. Huhta and J. G. Webster, IEEE Trans. Biomed. Eng. 20:91-101, 1973, doi:10.1109/TBME.1973.324169",
    "huigen": "E. Huigen et al., Med. Biol. Eng. Comput. 40:332-338, 2002, doi:10.1007/BF02344216",
    "ifcn": "N. Kane et al., Clin. Neurophysiol. Pract. 2:170-185, 2017, doi:10.1016/j.cnp.2017.07.002 (alpha: 8-13 Hz, "
    "mostly below 50 µV peak to peak in adults; mu: 7-11 Hz, mostly below 50 µV)",
    "iwasaki": "M. Iwasaki et al., Clin. Neurophysiol. 116:878-885, 2005, doi:10.1016/j.clinph.2004.11.001",
    "luck": "S. J. Luck, An Introduction to the Event-Related Potential Technique, 2nd ed., MIT Press, 2014",
    "nunez": "P. L. Nunez and R. Srinivasan, Electric Fields of the Brain, 2nd ed., Oxford University Press, 2006",
    "pfurtscheller": "G. Pfurtscheller and F. H. Lopes da Silva, Clin. Neurophysiol. 110:1842-1857, 1999, "
    "doi:10.1016/S1388-2457(99)00141-8; G. Pfurtscheller et al., NeuroImage 31:153-159, 2006, "
    "doi:10.1016/j.neuroimage.2005.12.003",
    "polich": "J. Polich, Clin. Neurophysiol. 118:2128-2148, 2007, doi:10.1016/j.clinph.2007.04.019",
    "tatum": "W. O. Tatum et al., J. Clin. Neurophysiol. 28:252-263, 2011, doi:10.1097/WNP.0b013e31821c3c93",
    "wang": "Y. Wang et al., IEEE Trans. Neural Syst. Rehabil. Eng. 25:1746-1752, 2017, doi:10.1109/TNSRE.2016.2627556",
    "wichmann": "F. A. Wichmann and N. J. Hill, Percept. Psychophys. 63:1293-1313, 2001, doi:10.3758/BF03194544 (lapses of "
    "observers who are fitted: at most 6 %)",
    "woods": "D. L. Woods et al., Front. Hum. Neurosci. 9:131, 2015, doi:10.3389/fnhum.2015.00131",
    "choice": "chosen so that a minute of stream shows each; no source gives it as typical",
}


@dataclass(frozen=True)
class Fact:
    """value and its range in `unit`; where and how it is measured; where it is from."""

    value: float
    unit: str
    low: float
    high: float
    what: str
    source: str


FACTS: dict[str, Fact] = {
    # the background
    "background": Fact(8.0, "µV rms", 4, 16, "1-40 Hz without the rhythms, mean over 10-20", SOURCES["nunez"]),
    "exponent": Fact(1.4, "", 0.8, 2.0, "P(f) ~ 1/f^exponent, 2-40 Hz", SOURCES["aperiodic"]),
    "shared": Fact(0.8, "", 0.5, 0.95, "part of the background's power that reaches several electrodes", SOURCES["nunez"]),
    # the rhythms
    "alpha": Fact(10.0, "µV rms", 5, 18, "8-13 Hz at O1, O2, eyes closed", SOURCES["ifcn"]),
    "alpha_hz": Fact(10.0, "Hz", 8, 13, "peak", SOURCES["ifcn"]),
    "alpha_open": Fact(0.35, "", 0.2, 0.7, "alpha amplitude, eyes open to closed", SOURCES["barry"]),
    "mu": Fact(6.0, "µV rms", 2, 12, "at C3, C4, at rest", SOURCES["ifcn"]),
    "mu_hz": Fact(11.0, "Hz", 8, 13, "peak", SOURCES["pfurtscheller"]),
    "beta": Fact(2.5, "µV rms", 1, 5, "at C3, C4 (Cz for the feet), at rest", SOURCES["pfurtscheller"]),
    "beta_hz": Fact(21.0, "Hz", 16, 26, "peak", SOURCES["pfurtscheller"]),
    "width_hz": Fact(1.6, "Hz", 0.8, 3, "full width at half power of a rhythm's peak", SOURCES["aperiodic"]),
    # motor imagery
    "erd": Fact(0.65, "", 0.3, 0.9, "power lost over the hand area opposite the imagined hand", SOURCES["pfurtscheller"]),
    "erd_same": Fact(0.2, "", 0.0, 0.5, "power lost on the same side", SOURCES["pfurtscheller"]),
    "erd_spread": Fact(0.2, "", 0.0, 0.4, "standard deviation of both from trial to trial", SOURCES["pfurtscheller"]),
    "erd_s": Fact(0.3, "s", 0.1, 1, "time constant of coming and going", SOURCES["pfurtscheller"]),
    "rebound": Fact(1.0, "", 0.2, 2, "beta power won for `rebound_s` behind the end of it", SOURCES["pfurtscheller"]),
    "rebound_s": Fact(1.0, "s", 0.5, 2, "its length", SOURCES["pfurtscheller"]),
    # vision
    "block_s": Fact(0.2, "s", 0.1, 1, "time constant of alpha blocking", SOURCES["barry"]),
    "ssvep": Fact(3.0, "µV peak", 0.5, 10, "at O1, O2 for 10 Hz; falls with 1/f above", SOURCES["herrmann"]),
    "ssvep_2": Fact(0.5, "", 0.1, 1, "second harmonic to the first", SOURCES["herrmann"]),
    "ssvep_3": Fact(0.25, "", 0.05, 0.8, "third harmonic to the first", SOURCES["herrmann"]),
    "ssvep_s": Fact(0.14, "s", 0.1, 0.2, "visual latency", SOURCES["wang"]),
    "p300": Fact(8.0, "µV peak", 3, 20, "at Pz, to targets", SOURCES["polich"]),
    "p300_s": Fact(0.38, "s", 0.25, 0.5, "its latency", SOURCES["polich"]),
    "p300_width_s": Fact(0.07, "s", 0.04, 0.12, "its width (standard deviation of a Gaussian)", SOURCES["luck"]),
    "p300_jitter_s": Fact(0.03, "s", 0.01, 0.1, "its latency's standard deviation", SOURCES["luck"]),
    "p300_spread": Fact(0.3, "", 0.1, 0.6, "its amplitude's standard deviation, to its mean", SOURCES["luck"]),
    "n1": Fact(-3.0, "µV peak", -8, -1, "at O1, O2, to any flash", SOURCES["luck"]),
    "n1_s": Fact(0.17, "s", 0.13, 0.2, "its latency", SOURCES["luck"]),
    "n1_width_s": Fact(0.02, "s", 0.01, 0.04, "its width (standard deviation of a Gaussian)", SOURCES["luck"]),
    "reaction_s": Fact(0.231, "s", 0.15, 0.4, "from a cue to what the person does", SOURCES["woods"]),
    "lapse": Fact(
        0.03, "", 0.0, 0.06, "share of what a person is asked to do that they miss, being elsewhere", SOURCES["wichmann"]
    ),
    # what is not brain
    "blink": Fact(120.0, "µV peak", 50, 300, "at Fp1, Fp2", SOURCES["iwasaki"]),
    "blink_s": Fact(0.3, "s", 0.15, 0.4, "its length", SOURCES["iwasaki"]),
    "blink_rate": Fact(17.0, "1/min", 5, 40, "eyes open, at rest; intervals log-normal", SOURCES["bentivoglio"]),
    "blink_cz": Fact(0.17, "", 0.05, 0.3, "its amplitude at Cz to that at Fp1, Fp2", SOURCES["corby"]),
    "clench": Fact(50.0, "µV rms", 20, 200, "jaw muscles at T7, T8, above 20 Hz", SOURCES["goncharova"]),
    "clench_low_hz": Fact(20.0, "Hz", 15, 25, "lower end of the muscles' spectrum", SOURCES["goncharova"]),
    "clench_high_hz": Fact(300.0, "Hz", 200, 500, "upper end", SOURCES["goncharova"]),
    "clench_s": Fact(1.0, "s", 0.3, 3, "its length", SOURCES["choice"]),
    "clench_rate": Fact(0.7, "1/min", 0, 5, "how often", SOURCES["choice"]),
    "pop": Fact(150.0, "µV peak", 50, 500, "one electrode; abrupt, then back", SOURCES["tatum"]),
    "pop_s": Fact(0.3, "s", 0.1, 1, "time constant of the way back", SOURCES["tatum"]),
    "pop_rate": Fact(0.5, "1/min", 0, 5, "how often, at any electrode", SOURCES["choice"]),
    "drift": Fact(25.0, "µV rms", 5, 200, "slow wandering of an electrode's offset", SOURCES["huigen"]),
    "drift_s": Fact(20.0, "s", 5, 100, "its time constant", SOURCES["huigen"]),
    "contact": Fact(1.0, "µV rms", 0.5, 20, "white noise of electrode and amplifier, up to 125 Hz", SOURCES["huigen"]),
    "mains": Fact(4.0, "µV peak", 0.5, 50, "at an electrode with good contact", SOURCES["huhta"]),
    "mains_2": Fact(0.1, "", 0, 0.5, "second harmonic to the first", SOURCES["huhta"]),
    "mains_3": Fact(0.3, "", 0, 0.8, "third harmonic to the first", SOURCES["huhta"]),
    "mains_hz": Fact(0.02, "Hz", 0, 0.05, "how far the line wanders from 50 or 60", SOURCES["entsoe"]),
    "bad_brain": Fact(0.1, "", 0, 0.5, "what a bad electrode keeps of the person", SOURCES["tatum"]),
    "bad_mains": Fact(12.0, "", 2, 100, "how many times the mains it takes up", SOURCES["huhta"]),
    "bad_contact": Fact(30.0, "", 5, 100, "how many times the contact noise", SOURCES["huigen"]),
    "bad_drift": Fact(8.0, "", 2, 50, "how many times the drift", SOURCES["huigen"]),
}


def fact(name: str) -> float:
    """The value of one row of the table."""
    return FACTS[name].value
