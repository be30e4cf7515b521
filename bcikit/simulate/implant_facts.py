"""The one table of what a simulated implant is made of: as `facts.py` for EEG. Nothing of `arrays.py`, `neurons.py` and
`broadband.py` has an amplitude, rate or distance that is not here; tests measure the simulated signal by other means.
"""

from __future__ import annotations

from .facts import Fact

SOURCES = {
    "georgopoulos": "A. P. Georgopoulos et al., J. Neurosci. 2:1527-1537, 1982, doi:10.1523/JNEUROSCI.02-11-01527.1982; "
    "A. B. Schwartz et al., J. Neurosci. 8:2913-2927, 1988, doi:10.1523/JNEUROSCI.08-08-02913.1988",
    "truccolo": "W. Truccolo et al., J. Neurosci. 28:1163-1178, 2008, doi:10.1523/JNEUROSCI.3003-07.2008; L. R. Hochberg et "
    "al., Nature 442:164-171, 2006, doi:10.1038/nature04970",
    "hill": "D. N. Hill et al., J. Neurosci. 31:8699-8705, 2011, doi:10.1523/JNEUROSCI.0971-11.2011",
    "bartho": "P. Barthó et al., J. Neurophysiol. 92:600-608, 2004, doi:10.1152/jn.01170.2003",
    "henze": "D. A. Henze et al., J. Neurophysiol. 84:390-400, 2000, doi:10.1152/jn.2000.84.1.390; K. H. Pettersen and "
    "G. T. Einevoll, Biophys. J. 94:784-802, 2008, doi:10.1529/biophysj.107.111179",
    "suner": "S. Suner et al., IEEE Trans. Neural Syst. Rehabil. Eng. 13:524-541, 2005, doi:10.1109/TNSRE.2005.857687; "
    "C. A. Chestek et al., J. Neural Eng. 8:045005, 2011, doi:10.1088/1741-2560/8/4/045005",
    "maynard": "E. M. Maynard et al., Electroencephalogr. Clin. Neurophysiol. 102:228-239, 1997, "
    "doi:10.1016/S0013-4694(96)95176-0",
    "musk": "E. Musk and Neuralink, J. Med. Internet Res. 21:e16194, 2019, doi:10.2196/16194",
    "hettick": "M. Hettick et al., bioRxiv 2022.01.02.474656, doi:10.1101/2022.01.02.474656",
    "khodagholy": "D. Khodagholy et al., Nat. Neurosci. 18:310-315, 2015, doi:10.1038/nn.3905",
    "buzsaki": "G. Buzsáki et al., Nat. Rev. Neurosci. 13:407-420, 2012, doi:10.1038/nrn3241",
    "barrese": "J. C. Barrese et al., J. Neural Eng. 10:066014, 2013, doi:10.1088/1741-2560/10/6/066014",
    "oshea": "D. J. O'Shea and K. V. Shenoy, J. Neural Eng. 15:026020, 2018, doi:10.1088/1741-2552/aaa365",
    "intan": "Intan Technologies, RHD2000 Series data sheet (0.195 µV a bit, input noise 2.4 µV rms)",
    "choice": "chosen so that a test or a minute of stream shows it; no source gives it as typical",
}

FACTS: dict[str, Fact] = {
    "scale": Fact(0.195, "µV", 0.1, 0.25, "one count", SOURCES["intan"]),
    # firing
    "baseline": Fact(10.0, "Hz", 3, 25, "mean rate at rest, median over units; log-normal", SOURCES["truccolo"]),
    "baseline_spread": Fact(0.7, "", 0.4, 1.0, "standard deviation of its logarithm", SOURCES["truccolo"]),
    "depth": Fact(8.0, "Hz", 3, 25, "modulation of a tuned unit at an intention of 1, median", SOURCES["georgopoulos"]),
    "depth_spread": Fact(0.5, "", 0.2, 1.0, "standard deviation of its logarithm", SOURCES["georgopoulos"]),
    "tuned": Fact(0.6, "", 0.5, 0.7, "part of the units that are tuned to the direction", SOURCES["truccolo"]),
    "bend": Fact(2.0, "Hz", 0.5, 5, "width of the bend where a rate would fall below zero (softplus)", SOURCES["choice"]),
    "most": Fact(150.0, "Hz", 100, 250, "highest rate of a unit", SOURCES["truccolo"]),
    "refractory_s": Fact(0.0015, "s", 0.001, 0.002, "no second spike within it, mean; uniform +-30 %", SOURCES["hill"]),
    # the spike at the electrode
    "peak": Fact(90.0, "µV", 50, 300, "trough at the nearest electrode of a penetrating array, median", SOURCES["suner"]),
    "peak_spread": Fact(0.5, "", 0.3, 0.8, "standard deviation of its logarithm", SOURCES["suner"]),
    "peak_most": Fact(600.0, "µV", 300, 1000, "largest trough", SOURCES["suner"]),
    "peak_surface": Fact(0.35, "", 0.2, 0.6, "trough at the surface of the cortex to that within", SOURCES["khodagholy"]),
    "near": Fact(35e-6, "m", 20e-6, 60e-6, "distance of a unit from its electrode, mean", SOURCES["henze"]),
    "reach": Fact(50e-6, "m", 30e-6, 140e-6, "r0 of the fall-off 1 / (1 + (r/r0)²)", SOURCES["henze"]),
    "trough_s": Fact(0.00011, "s", 0.00008, 0.00016, "width of the trough (standard deviation)", SOURCES["bartho"]),
    "trough_to_peak_s": Fact(0.0005, "s", 0.0002, 0.0008, "from trough to hump, mean; uniform +-40 %", SOURCES["bartho"]),
    "hump": Fact(0.35, "", 0.1, 0.6, "height of the hump to the trough's depth", SOURCES["bartho"]),
    "units": Fact(1.2, "", 0.5, 3, "units for each electrode of a penetrating array", SOURCES["suner"]),
    "units_surface": Fact(0.2, "", 0.05, 0.5, "units for each electrode on the surface", SOURCES["khodagholy"]),
    # what is not spikes
    "noise": Fact(7.0, "µV rms", 5, 10, "white noise and distant neurons, 250-5000 Hz, median", SOURCES["musk"]),
    "noise_spread": Fact(0.15, "", 0.05, 0.3, "standard deviation of its logarithm over electrodes", SOURCES["choice"]),
    "noise_bad": Fact(6.0, "", 3, 20, "how many times that at a noisy electrode", SOURCES["choice"]),
    "noise_dead": Fact(2.4, "µV rms", 1, 4, "0-7500 Hz at a dead electrode: the amplifier alone", SOURCES["intan"]),
    "lfp": Fact(80.0, "µV rms", 20, 300, "1-40 Hz at one electrode", SOURCES["buzsaki"]),
    "lfp_exponent": Fact(1.8, "", 1, 2.5, "P(f) ~ 1/f^exponent", SOURCES["buzsaki"]),
    "lfp_reach": Fact(0.002, "m", 0.0005, 0.005, "distance over which it is alike", SOURCES["buzsaki"]),
    "common": Fact(
        3.0, "µV rms", 1, 8, "noise of the reference, the same at all electrodes, 250-5000 Hz", SOURCES["choice"]
    ),
    "mains": Fact(15.0, "µV peak", 2, 100, "at the mains frequency; +-20 % over electrodes", SOURCES["choice"]),
    "mains_3": Fact(0.3, "", 0, 0.8, "third harmonic to the first", SOURCES["choice"]),
    "movement": Fact(400.0, "µV peak", 100, 2000, "artefact of movement, common to all electrodes", SOURCES["choice"]),
    "movement_s": Fact(0.25, "s", 0.1, 1, "its length", SOURCES["choice"]),
    "movement_hz": Fact(12.0, "Hz", 2, 40, "its frequency", SOURCES["choice"]),
    "pulse": Fact(4000.0, "µV", 1000, 10000, "stimulation at 1 mm from its electrode, half of it at 2 mm", SOURCES["oshea"]),
    "pulse_s": Fact(0.0002, "s", 0.0001, 0.0005, "each of its two phases", SOURCES["oshea"]),
    "pulse_tail_s": Fact(0.001, "s", 0.0005, 0.005, "time constant of what it leaves", SOURCES["oshea"]),
    "rail": Fact(6389.0, "µV", 5000, 6400, "where the amplifier saturates: 2^15 counts", SOURCES["intan"]),
    "dead": Fact(0.05, "", 0, 0.5, "part of the electrodes that are dead", SOURCES["barrese"]),
    "noisy": Fact(0.02, "", 0, 0.3, "part that are noisy", SOURCES["barrese"]),
    # geometry
    "utah_pitch": Fact(400e-6, "m", 390e-6, 410e-6, "10 x 10 without corners: 96 electrodes", SOURCES["maynard"]),
    "utah_gap": Fact(0.006, "m", 0.004, 0.05, "from array to array", SOURCES["choice"]),
    "utah_depth": Fact(0.0015, "m", 0.001, 0.0015, "below the surface", SOURCES["maynard"]),
    "thread_pitch": Fact(50e-6, "m", 50e-6, 200e-6, "along a thread of 16 electrodes", SOURCES["musk"]),
    "thread_gap": Fact(600e-6, "m", 300e-6, 0.002, "from thread to thread", SOURCES["musk"]),
    "thread_depth": Fact(0.0012, "m", 0.0005, 0.004, "of its shallowest electrode", SOURCES["musk"]),
    "film_pitch": Fact(400e-6, "m", 300e-6, 500e-6, "32 x 32 electrodes on the surface", SOURCES["hettick"]),
    "film_gap": Fact(0.014, "m", 0.013, 0.03, "from film to film", SOURCES["hettick"]),
}


def fact(name: str) -> float:
    """The value of one row of the table."""
    return FACTS[name].value
