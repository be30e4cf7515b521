"""The limits file: typed, whole, signed; what is wrong in it is said with its line."""

from __future__ import annotations

import shutil

import pytest

from bcikit.cli.main import main
from bcikit.core.errors import FileTrouble, WrongUse
from bcikit.core.find import parts
from bcikit.effectors import _limits
from bcikit.effectors._moved import Moved
from bcikit.effectors.drones import Drones
from bcikit.testing import OpenGate

MOVED = {name: cls for name, cls in parts("sink").items() if issubclass(cls, Moved)}
CHANNEL = '[[channel]]\nname = "v"\nunit = "m/s"\nlow = -1\nhigh = 1\nacceleration = 2\njerk = 20\n'


@pytest.mark.parametrize("name", MOVED)
def test_every_effector_has_limits_that_fit_it(name):
    limits = _limits.read(_limits.packaged(name))
    limits.fits(MOVED[name].spec)
    assert limits.device == name


@pytest.fixture
def own(tmp_path):
    return shutil.copy(_limits.packaged("drones"), tmp_path / "mine.toml")


def test_limits_of_ones_own_are_signed_and_refused_once_edited(own):
    with pytest.raises(FileTrouble, match="not signed") as error:
        _limits.read(own)
    assert "bcikit limits sign" in error.value.do
    _limits.sign(own)
    OpenGate().open(Drones(limits=str(own), lockstep=True), Drones.commands().stream).close()
    own.write_text(own.read_text().replace("speed = 1.4", "speed = 9.4"))
    with pytest.raises(FileTrouble, match="not signed"):
        OpenGate().open(Drones(limits=str(own), lockstep=True), Drones.commands().stream)


def test_a_signature_for_something_else_does_not_serve(own):
    from bcikit.ethics import keys

    own.with_name("mine.toml.sig").write_text(keys.sign(own.read_bytes(), "consent"))
    with pytest.raises(FileTrouble, match="not signed"):
        _limits.read(own)


@pytest.mark.parametrize(
    "text, line, said",
    [
        ('device = "x"\nperiod_s = 5\n' + CHANNEL, 2, "out of bounds"),
        ('device = "x"\nperoid_s = 0.01\n' + CHANNEL, 2, "no setting 'peroid_s'"),
        ('device = "x"\nheartbeat_s = 0.5\n' + CHANNEL, 2, "out of bounds"),
        ('device = "x"\nstale_s = nan\n' + CHANNEL, 2, "out of bounds"),
        ('device = "x"\n' + CHANNEL.replace("jerk = 20\n", ""), 2, "no jerk"),
        ('device = "x"\n' + CHANNEL.replace("jerk = 20", "jerk = inf"), 2, "out of bounds"),
        ('device = "x"\n' + CHANNEL.replace("low = -1", "low = 2"), 2, "bounded to nothing"),
        ('device = "x"\n' + CHANNEL + "safe = 3\n", 2, "safe at 3"),
        ('device = "x"\nmodes = ["force"]\n' + CHANNEL, 1, "needs a bound on the force"),
        ('device = "x"\nspeed = 0.5\n' + CHANNEL + 'axis = "x"\n', 1, "could go 1 m/s"),
        ('device = "x"\n[workspace]\nlow = [0, 0, 0]\nhigh = [1, 1, 1]\n' + CHANNEL, 1, "along which axis"),
        ('device = "x"\n' + CHANNEL + "[[keep_out_sphere]]\ncenter = [0, 0]\n", 9, "three numbers"),
        ('device = "x"\n', 1, "one channel at least"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, line, said):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(WrongUse) as error:
        _limits.parse(path)
    assert said in str(error.value) and f"line {line}:" in str(error.value)


def test_limits_of_another_device_are_refused(own):
    limits, _ = _limits.parse(own)
    limits.channels = limits.channels[:-1]
    with pytest.raises(WrongUse, match="for the commands"):
        limits.fits(Drones.spec)


def test_the_commands_check_sign_and_stop(own, capsys):
    assert main(["limits", "check", str(own)]) == 4
    assert main(["limits", "sign", str(own)]) == 0
    assert main(["limits", "check", str(own)]) == 0
    assert "its signature is good" in capsys.readouterr().out
    assert main(["stop", "drones"]) == 4
    assert "No supervisor" in capsys.readouterr().err
