"""The demo detector's network: a small one-stage, anchor-free detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["STRIDES", "DemoNetwork"]

STRIDES = (8, 16)
"""Input pixels per cell of the two output grids."""

_HEAD_CHANNELS = 48
_PRIOR = -4.6  # logit of a class score of 0.01: at first almost every cell is background


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _PartialBlock(nn.Module):
    """Half of the channels pass a residual block (Wang et al., CSPNet, arXiv:1911.11929)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.passed = _convolution(inputs, half, 1)
        self.worked = _convolution(inputs, half, 1)
        self.block = nn.Sequential(_convolution(half, half), _convolution(half, half))
        self.merge = _convolution(2 * half, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        worked = self.worked(features)
        return self.merge(torch.cat([self.passed(features), worked + self.block(worked)], 1))


class _Head(nn.Module):
    """Box distances and class logits of one grid, from separate branches."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.reduce = _convolution(inputs, _HEAD_CHANNELS, 1)
        self.box = _convolution(_HEAD_CHANNELS, _HEAD_CHANNELS)
        self.score = _convolution(_HEAD_CHANNELS, _HEAD_CHANNELS)
        self.to_box = nn.Conv2d(_HEAD_CHANNELS, 4, 1)
        self.to_score = nn.Conv2d(_HEAD_CHANNELS, classes, 1)
        nn.init.constant_(self.to_box.bias, 0.7)
        nn.init.constant_(self.to_score.bias, _PRIOR)

    def forward(self, features: Tensor) -> Tensor:
        reduced = self.reduce(features)
        box, score = self.to_box(self.box(reduced)), self.to_score(self.score(reduced))
        return torch.cat([box, score], 1).flatten(2)


class DemoNetwork(nn.Module):
    """Images to boxes and class logits.

    Five halvings, then features flow back up to the grids of stride 16 and 8 (Lin et al.,
    feature pyramids, arXiv:1612.03144). Every cell of a grid gives the distances from its centre
    to the four sides of one box (Tian et al., FCOS, arXiv:1904.01355) and a logit per class.
    """

    def __init__(self, size: tuple[int, int], classes: int) -> None:
        """Build the network for images of `size`, as height and width; multiples of 32."""
        super().__init__()
        self.to_8 = nn.Sequential(
            _convolution(3, 16, stride=2),
            _convolution(16, 24, stride=2),
            _PartialBlock(24, 24),
            _convolution(24, 48, stride=2),
            _PartialBlock(48, 48),
        )
        self.to_16 = nn.Sequential(_convolution(48, 80, stride=2), _PartialBlock(80, 80))
        self.to_32 = nn.Sequential(_convolution(80, 112, stride=2), _PartialBlock(112, 112))
        self.up_16 = _convolution(112, 48, 1)
        self.at_16 = _PartialBlock(48 + 80, 80)
        self.up_8 = _convolution(80, 48, 1)
        self.at_8 = _PartialBlock(48 + 48, 48)
        self.heads = nn.ModuleList([_Head(48, classes), _Head(80, classes)])
        centres, strides = _grid(size)
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("strides", strides, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            images: float32 (B, 3, H, W), RGB in [0, 1].

        Returns:
            Boxes as left, top, right, bottom in input pixels (B, 4, N) and logits (B, C, N).
        """
        eighth = self.to_8(images)
        sixteenth = self.to_16(eighth)
        deep = self.up_16(self.to_32(sixteenth))
        sixteenth = self.at_16(torch.cat([_twice(deep), sixteenth], 1))
        eighth = self.at_8(torch.cat([_twice(self.up_8(sixteenth)), eighth], 1))
        cells = torch.cat([self.heads[0](eighth), self.heads[1](sixteenth)], 2).float()
        distances, logits = cells[:, :4], cells[:, 4:]
        distances = distances.clamp(max=5.0).exp() * self.strides
        boxes = torch.cat([self.centres - distances[:, :2], self.centres + distances[:, 2:]], 1)
        return boxes, logits


def _twice(features: Tensor) -> Tensor:
    return nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")


def _grid(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Centres (2, N) as x, y, and strides (1, N), of all cells, in input pixels."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            *((torch.arange(length // stride) + 0.5) * stride for length in size), indexing="ij"
        )
        centres.append(torch.stack([x.flatten(), y.flatten()]))
        strides.append(torch.full((1, x.numel()), float(stride)))
    return torch.cat(centres, 1), torch.cat(strides, 1)
