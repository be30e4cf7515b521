"""EEGNet: a small network for any paradigm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from ...core.errors import WrongUse
from ...core.parts import Setting
from ._network import Network

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class Eegnet(Network):
    """Trials (channels, lags): filters in time, `depth` spatial filters of each, then a filter in time of each of these and
    their mixtures (Lawhern et al., J Neural Eng 15:056013, 2018, doi:10.1088/1741-2552/aace8c; EEGNet-8,2 by default).
    Lengths are the paper's in seconds, so that any rate does: filters of 0.5 s, of an odd number of lags, means over 1/32 s
    and 1/4 s. The norms of spatial filters stay within 1, of the last layer's weights within 0.25.
    """

    filters: Annotated[int, Setting("in time", low=1, high=64)] = 8
    depth: Annotated[int, Setting("spatial filters of each filter in time", low=1, high=16)] = 2
    dropout: Annotated[float, Setting("share of features that a round of learning does without", low=0, high=0.9)] = 0.5

    def layers(self, channels: int, lags: int, classes: int, rate: float) -> torch.nn.Sequential:
        from torch import nn

        pool = max(round(rate / 32), 1)
        left = lags // pool // 8
        if not left:
            raise WrongUse(f"eegnet needs trials of a quarter of a second or more; these are {lags / rate:g} s.")
        first, second = round(rate / 2) | 1, round(rate / pool / 2) | 1
        n = self.filters * self.depth
        return nn.Sequential(
            nn.Conv2d(1, self.filters, (1, first), padding=(0, first // 2), bias=False),
            nn.BatchNorm2d(self.filters),
            nn.Conv2d(self.filters, n, (channels, 1), groups=self.filters, bias=False),
            nn.BatchNorm2d(n),
            nn.ELU(),
            nn.AvgPool2d((1, pool)),
            nn.Dropout(self.dropout),
            nn.Conv2d(n, n, (1, second), padding=(0, second // 2), groups=n, bias=False),
            nn.Conv2d(n, n, 1, bias=False),
            nn.BatchNorm2d(n),
            nn.ELU(),
            nn.AvgPool2d((1, 8)),
            nn.Dropout(self.dropout),
            nn.Flatten(),
            nn.Linear(n * left, classes),
        )

    def bound(self, layers: torch.nn.Sequential) -> None:
        for layer, most in ((layers[2], 1.0), (layers[-1], 0.25)):
            weight: Any = layer.weight
            weight.data.renorm_(2, 0, most)
