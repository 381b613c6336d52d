"""What the network is trained for: which cell answers for which object, and the loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from network import DemoNetwork

__all__ = ["Targets", "loss"]

_CELLS_PER_OBJECT = 10
_SCORE_POWER, _OVERLAP_POWER = 0.5, 6.0
_BOX_WEIGHT, _SCORE_WEIGHT = 5.0, 1.0


class Targets(NamedTuple):
    """The objects of a batch, padded to the same number M.

    Attributes:
        boxes: float32 (B, M, 4), left, top, right, bottom in input pixels.
        classes: int64 (B, M); −1 for padding, −2 for an object that is hidden too much to be
            found, where the network may say what it likes.
    """

    boxes: Tensor
    classes: Tensor


def loss(network: DemoNetwork, images: Tensor, targets: Targets) -> Tensor:
    """Compute the loss of a batch: box loss and classification loss, weighted."""
    boxes, logits = network(images)
    boxes, logits = boxes.transpose(1, 2), logits.transpose(1, 2)
    owner, quality, wanted, care = _assign(boxes.detach(), logits.detach(), targets, network)
    total = quality.sum().clamp(min=1.0)
    scores = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    score_loss = (scores * care[..., None]).sum() / total
    positive = quality > 0
    if not positive.any():
        return _SCORE_WEIGHT * score_loss
    true = targets.boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    distance = 1 - _complete_iou(boxes[positive], true[positive])
    box_loss = (distance * quality[positive]).sum() / total
    return _SCORE_WEIGHT * score_loss + _BOX_WEIGHT * box_loss


def _assign(
    boxes: Tensor, logits: Tensor, targets: Targets, network: DemoNetwork
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Let the best cells within each object answer for it.

    Task-aligned assignment (Feng et al., TOOD, arXiv:2108.07755, section 3.2): cells are ranked
    by the product of a power of their score and a power of their IoU; the best are positive, and
    their target score is that product, scaled per object to reach its best IoU.

    Returns:
        Per cell: the object it answers for (B, N), its target score (B, N; 0 for background),
        the target scores of all classes (B, N, C), and 0 where it is not to be judged (B, N).
    """
    real, hidden = targets.classes >= 0, targets.classes == -2
    inside = _centres_inside(network.centres, targets.boxes)
    overlap = _iou(targets.boxes[:, :, None], boxes[:, None]).clamp(min=0)
    kinds = targets.classes.clamp(min=0)[:, None].expand(-1, logits.shape[1], -1)
    scores = logits.sigmoid().gather(2, kinds).transpose(1, 2)
    alignment = scores**_SCORE_POWER * overlap**_OVERLAP_POWER
    alignment = alignment * (inside & real[..., None])
    best = alignment.topk(_CELLS_PER_OBJECT, 2)
    chosen = torch.zeros_like(alignment).scatter_(2, best.indices, 1.0)
    chosen = (chosen > 0) & (alignment > 0)
    owner = (overlap * chosen).argmax(1)
    chosen &= functional.one_hot(owner, chosen.shape[1]).transpose(1, 2).bool()
    alignment = alignment * chosen
    reach = (overlap * chosen).amax(2, keepdim=True)
    alignment = alignment / alignment.amax(2, keepdim=True).clamp(min=1e-9) * reach
    quality = alignment.amax(1)
    owned = targets.classes.gather(1, owner).clamp(min=0)
    wanted = functional.one_hot(owned, logits.shape[2]) * quality[..., None]
    ignored = (inside & hidden[..., None]).any(1) & (quality == 0)
    return owner, quality, wanted, (~ignored).float()


def _centres_inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Say which cell centres (2, N) lie in which boxes (B, M, 4): (B, M, N)."""
    x, y = centres
    left, top, right, bottom = boxes[..., None].unbind(2)
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def _iou(first: Tensor, second: Tensor) -> Tensor:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = (first[..., 2:] - first[..., :2]).prod(-1) + (second[..., 2:] - second[..., :2]).prod(
        -1
    )
    return common / (areas - common).clamp(min=1e-6)


def _complete_iou(boxes: Tensor, true: Tensor) -> Tensor:
    """IoU less the distance of centres and the difference in shape.

    Zheng et al., arXiv:1911.08287, equations 7 to 11.
    """
    iou = _iou(boxes, true)
    hull = torch.maximum(boxes[..., 2:], true[..., 2:]) - torch.minimum(
        boxes[..., :2], true[..., :2]
    )
    diagonal = hull.square().sum(-1).clamp(min=1e-6)
    offset = (boxes[..., :2] + boxes[..., 2:] - true[..., :2] - true[..., 2:]) / 2
    size, true_size = boxes[..., 2:] - boxes[..., :2], true[..., 2:] - true[..., :2]
    angle = torch.atan(true_size[..., 0] / true_size[..., 1].clamp(min=1e-6))
    angle = angle - torch.atan(size[..., 0] / size[..., 1].clamp(min=1e-6))
    shape = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        weight = shape / (1 - iou + shape).clamp(min=1e-6)
    return iou - offset.square().sum(-1) / diagonal - weight * shape
