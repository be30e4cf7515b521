"""ShallowConvNet: what band power through spatial filters is, as a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ...core.errors import WrongUse
from ...core.parts import Setting
from ._network import Network

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class ShallowConvnet(Network):
    """Trials (channels, lags) of rhythms: filters in time, spatial filters, log of the mean square, a weight for each
    (Schirrmeister et al., Hum Brain Mapp 38:5391, 2017, doi:10.1002/hbm.23730). Lengths are the paper's in seconds: filters
    of 0.1 s, means over 0.3 s every 0.06 s. It learns from whole trials, not from crops of them.
    """

    filters: Annotated[int, Setting("in time, and as many in space", low=1, high=200)] = 40
    dropout: Annotated[float, Setting("share of features that a round of learning does without", low=0, high=0.9)] = 0.5

    def layers(self, channels: int, lags: int, classes: int, rate: float) -> torch.nn.Sequential:
        import torch
        from torch import nn

        class Square(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * x

        class Log(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.log(torch.clamp(x, min=1e-6))

        first, pool, hop = (max(round(s * rate), 1) for s in (0.1, 0.3, 0.06))
        left = (lags - first + 1 - pool) // hop + 1
        if left < 1:
            raise WrongUse(f"shallow_convnet needs trials of 0.4 s or more; these are {lags / rate:g} s.")
        return nn.Sequential(
            nn.Conv2d(1, self.filters, (1, first)),
            nn.Conv2d(self.filters, self.filters, (channels, 1), bias=False),
            nn.BatchNorm2d(self.filters),
            Square(),
            nn.AvgPool2d((1, pool), (1, hop)),
            Log(),
            nn.Dropout(self.dropout),
            nn.Flatten(),
            nn.Linear(self.filters * left, classes),
        )
