"""Any network of Braindecode, where it is installed, as a decoder."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from ...core.errors import WrongUse, nearest
from ...core.parts import Setting
from ..estimator import call
from ._network import Network

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class Braindecode(Network):
    """Trials (channels, lags) through a class of `braindecode.models`, told their channels, lags and rate: `--decoder
    braindecode:EEGNet(drop_prob=0.3)`. It is trained, kept and stepped as the networks of this folder are, so that neither
    torch nor Braindecode is needed to run it.
    Raises WrongUse where Braindecode is missing, knows no such network, cannot make it for these trials, or where what it
    made cannot be kept as ONNX.
    """

    model: Annotated[str, Setting("its class, with settings in brackets")] = "EEGNet"

    def layers(self, channels: int, lags: int, classes: int, rate: float) -> torch.nn.Sequential:
        from torch import nn

        name, settings = call(self.model)
        made = _known(name)
        names = self.names_ or tuple(map(str, range(channels)))
        told = {"n_chans": channels, "chs_info": [{"ch_name": n} for n in names], "n_times": lags, "sfreq": rate}
        try:
            network = made(**told, n_outputs=classes, **settings)
        except Exception as error:  # of its own many kinds
            why = " ".join(str(error).split())[:200]
            raise WrongUse(f"{name} cannot be made for trials of {channels} channels and {lags} lags.", why) from None
        return nn.Sequential(nn.Flatten(1, 2), network)  # without the axis that Braindecode adds itself

    @classmethod
    def examples(cls) -> Iterator[Any]:
        """None: they need Braindecode. tests/decode/test_braindecode.py has them."""
        return iter(())


def _known(name: str) -> Any:
    """The class of braindecode.models. Raises WrongUse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own house
            from braindecode import models
    except ImportError as error:
        raise WrongUse(f"braindecode:{name} needs the library {error.name!r}.", do="pip install braindecode") from None
    except OSError as error:  # a torchaudio that does not go with the torch here
        raise WrongUse("Braindecode cannot be loaded.", f"{error}.", "Install a torchaudio made for this torch.") from None
    classes = {n: c for n, c in vars(models).items() if inspect.isclass(c)}
    if name not in classes:
        raise WrongUse(f"Braindecode has no network {name!r}.", nearest(name, sorted(classes)) or "See its documentation.")
    return classes[name]
