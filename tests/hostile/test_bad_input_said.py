"""Bad input that is refused: one line of the table is one kind; the command exits so and says so, in at most three lines."""

from __future__ import annotations

import pytest

S = "stream --json --board"
SIM = f"{S} synthetic"
PLAY = f"{S} replay --opt speed=0 --opt file="
S1 = "--subject S1"

TABLE = [
    # kind, command, exit code, what the message must say
    ("unknown command", "strem", 2, "Did you mean 'stream'?"),
    ("unknown option", f"{SIM} --secnds 3", 2, "--seconds"),
    ("no board", "stream", 2, "--board"),
    ("unknown board", f"{S} synthetik", 2, "Did you mean 'synthetic'?"),
    ("unknown stage", f"{SIM} --stage bandpas", 2, "Did you mean 'bandpass'?"),
    ("unknown setting of a board", f"{SIM} --opt rat=3", 2, "Did you mean 'rate'?"),
    ("unknown setting of a stage", f"{SIM} --stage bandpass:lo=1", 2, "Did you mean 'low'?"),
    ("unknown choice", f"{S} openbci --opt gain=3 {S1}", 2, "1, 2, 4, 6, 8, 12, 24"),
    ("setting out of bounds", f"{SIM} --opt n=0", 2, "1 to 64"),
    ("setting below its one bound", f"{SIM} --stage bandpass:low=0", 2, "0.001 Hz or more"),
    ("setting that is no number", f"{SIM} --stage bandpass:low=slow", 2, "not a number"),
    ("setting that is NaN", f"{SIM} --opt rate=nan", 2, "80 to 4000 Hz"),
    ("setting without =", f"{SIM} --opt rate", 2, "not KEY=VALUE"),
    ("stage setting without =", f"{SIM} --stage bandpass:low", 2, "not key=value"),
    ("text for a structure", f"{SIM} --stage beside:lines=x", 2, "no text"),
    ("seconds below 0", f"{SIM} --seconds -1", 2, "not a length of time"),
    ("seconds NaN", f"{SIM} --seconds nan", 2, "not a length of time"),
    ("seconds without end", f"{SIM} --seconds inf", 2, "not a length of time"),
    ("seconds in words", f"{SIM} --seconds ten", 2, "not a length of time"),
    ("fault that is no span", f"{PLAY}good.txt --opt nan=1", 2, "AT:SECONDS"),
    ("filter above Nyquist", f"{SIM} --stage lowpass:high=400", 2, "below 125 Hz"),
    ("filter upside down", f"{SIM} --stage bandpass:low=40,high=1", 2, "not below"),
    ("rate that does not go", f"{SIM} --stage resample:rate=333.3333", 2, "p/q"),
    ("stage on the wrong shape", f"{SIM} --stage window:length=0.1 --stage notch", 2, "before `window`"),
    (
        "laplacian without positions",
        f"{PLAY}good.txt --stage rereference:to=laplacian",
        2,
        "by their place",
    ),
    ("channel that is not there", f"{SIM} --stage pick:channels=Q9", 2, "It has Fp1"),
    ("names for too few channels", f"{PLAY}good.txt --opt channels=C3+C4", 2, "2 names were given for 4"),
    ("one name for two channels", f"{PLAY}good.txt --opt channels=C3+C3+C4+Cz", 2, "given twice"),
    ("option that this format lacks", f"{PLAY}good.txt --opt bits=16", 2, "no use for 'bits'"),
    ("merge of one board", f"{S} merge --opt boards=synthetic", 2, "two boards"),
    ("unknown markers", f"{SIM} --markers lsk:Cues", 2, "Did you mean 'lsl'?"),
    ("markers without a name", f"{SIM} --markers=", 2, "no board called ''"),
    ("outlet without a name", f"{SIM} --lsl=", 2, "needs a name"),
    ("sink on no place", f"{SIM} --record a.xdf --record-at nowhere", 2, "board, out"),
    ("impedance of what has none", "impedance --board synthetic", 2, "cannot measure"),
    ("unknown BrainFlow board", f"{S} brainflow --opt id=cytn {S1}", 2, "Did you mean 'cyton'?"),
    # consent
    ("no consent", f"{S} lsl --subject S2", 3, "bcikit consent grant S2 --purpose research --sink view"),
    ("no consent to leave", f"{S} lsl {S1} --lsl Out", 3, "bcikit consent grant S1 --purpose research --sink lsl"),
    ("nobody to ask", f"{S} lsl", 3, "bcikit consent grant me"),
    ("subject that is no name", f"{S} lsl --subject ../x", 2, "cannot name a subject"),
    ("unknown sink", "consent grant S1 --sink vew", 2, "Did you mean 'view'?"),
    ("unknown purpose", "consent grant S1 --purpose fun --sink view", 2, "research, personal"),
    ("grant of no length", "consent grant S1 --sink view --days nan", 2, "cannot last nan days"),
    # files
    ("file missing", f"{PLAY}absent.txt", 4, "There is no file absent.txt"),
    ("file not named", f"{S} replay", 2, "--opt file=RECORDING"),
    ("file empty", f"{PLAY}empty.txt", 4, "is empty"),
    ("file with a header alone", f"{PLAY}header.txt", 4, "nothing behind it"),
    ("table with a header alone", f"{PLAY}header.csv", 4, "nothing behind it"),
    ("array without samples", f"{PLAY}nothing.npy", 4, "no signal"),
    ("array of no real numbers", f"{PLAY}complex.npy", 4, "no signal"),
    ("array of Python objects", f"{PLAY}objects.npy", 4, "which are not read"),
    ("fewer columns than stated", f"{PLAY}few.txt", 4, "too few"),
    ("garbage as EDF", f"{PLAY}garbage.edf", 4, "damaged"),
    ("garbage as XDF", f"{PLAY}garbage.xdf", 4, "garbage.xdf"),
    ("garbage without an ending", f"{PLAY}garbage", 4, "does not know"),
    ("unknown kind of file", f"{PLAY}notes.xyz", 4, "(.xyz)"),
    ("text that is no signal", f"{PLAY}prose.csv", 4, "no column of samples"),
    ("folder as a file", f"{PLAY}.", 4, "is a folder"),
    ("pipe as a file", f"{PLAY}pipe.txt", 4, "pipe"),
    ("device as a file", f"{PLAY}/dev/zero", 4, "device"),
    ("home of an unknown user", f"{PLAY}~nosuchuser/a.txt", 4, "There is no file"),
    ("table without a rate", f"{PLAY}norate.csv", 2, "rate=250"),
    ("array without a rate", f"{PLAY}norate.npy", 2, "rate=250"),
    ("times that go back", f"{PLAY}back.csv", 2, "not steady"),
    ("times that stand still", f"{PLAY}still.csv", 2, "do not go on"),
    ("record onto a file that exists", f"{SIM} --record there.xdf", 4, "there-2.xdf"),
    ("record into a folder that is not there", f"{SIM} --record nowhere/a.xdf", 4, "mkdir -p nowhere"),
    ("record to no XDF", f"{SIM} --record a.csv", 2, "a.csv.xdf"),
    ("record to nothing", f"{SIM} --record=", 2, "session.xdf"),
    ("record to a name too long", f"{SIM} --record {'x' * 300}.xdf", 4, "too long"),
    ("record where nothing fits", f"{SIM} --record /proc/a.xdf", 4, "another disk"),
    # session files
    ("session missing", "run absent.toml", 4, "bcikit new session absent.toml"),
    ("session with a syntax error", "run syntax.toml", 2, "line 1"),
    ("session with an unknown key", "run key.toml", 2, "line 3"),
    ("session with a wrong type", "run type.toml", 2, "line 3"),
    ("session with an unknown part", "run part.toml", 2, "Did you mean 'synthetic'?"),
    ("session without a board", "run noboard.toml", 2, "one board"),
    ("session of 10 MB", "run huge.toml", 4, "over 100 kB"),
    ("session of bytes", "run text.toml", 4, "no text"),
    ("session that is a folder", "run .", 4, "directory"),
    ("session that is a pipe", "run pipe.txt", 4, "pipe"),
    ("session written over", "new session there.xdf", 4, "there already"),
    # devices
    ("port that does not exist", f"{S} openbci --opt port=/dev/ttyUSB99 {S1}", 4, "There is no port"),
    ("file as a port", f"{S} openbci --opt port=good.txt {S1}", 4, "not a serial port"),
    ("playback of nothing", f"{S} brainflow --opt id=playback_file --opt master=cyton --opt file=x {S1}", 4, "no file 'x'"),
    ("LSL stream that is not there", f"{S} lsl --opt name=Nix --opt wait_s=0.3 {S1}", 4, "No LSL stream fits (name=Nix)"),
    ("LSL host that is not there", f"{S} lsl --opt address=no.such.host {S1}", 4, "is not known"),
    ("LSL address without a sender", f"{S} lsl --opt address=127.0.0.1:9 --opt wait_s=0.3 {S1}", 4, "wrong address"),
    ("marker stream missing", f"{SIM} --markers lsl:name=Nix,wait_s=0.3 {S1}", 4, "No LSL stream fits (name=Nix)"),
    ("emulated faults beyond 1", "emulate cyton --drop 2", 2, "0 to 1"),
    ("emulated file missing", "emulate cyton --file absent.txt", 4, "absent.txt"),
]


@pytest.mark.timeout(40)
@pytest.mark.parametrize(("command", "code", "said"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_it_is_refused_in_words(bcikit, said_well, command, code, said):
    done, out, err = bcikit(command)
    assert (done, said in err) == (code, True), err
    said_well("\n".join(line for line in err.splitlines() if not line.startswith("  ")))  # a list of what is there
    assert '"samples": ' not in out or '"samples": 0' in out


def test_these_are_forty_kinds_and_more():
    assert len({row[0] for row in TABLE}) == len(TABLE) >= 40
