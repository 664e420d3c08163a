"""Training examples, made as they are asked for. Example i of a seed is the same on every machine."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from torchserve_model.augment import FLIP_ORDER, jitter_colour
from torchserve_model.letterbox import PAD_VALUE, Letterbox
from torchserve_model.synthesis.sample import KEYPOINTS, draw_crop, draw_other_crop, draw_sheet

Batch = dict[str, Tensor]

TRAINING, HELD_OUT = 0, 1
"""Streams of random numbers: what is measured on the second was never trained on."""


@dataclass(frozen=True)
class Stream:
    """A numbered series of independent random generators.

    seed : of the whole run.
    split : TRAINING or HELD_OUT.
    """

    seed: int = 0
    split: int = TRAINING

    def rng(self, index: int) -> np.random.Generator:
        """The generator of example `index`."""
        return np.random.default_rng([self.seed, self.split, index])


@dataclass(frozen=True)
class SizeSchedule:
    """Pixels a side of the examples: `small` up to example `small_until`, `full` from there."""

    small: int
    full: int
    small_until: int = 0

    def of(self, index: int) -> int:
        """Pixels a side of example `index`."""
        return self.small if index < self.small_until else self.full


NO_FIGURE = 0.14
"""Part of the pose network's examples that show no figure: it has the last word on the detector's finds."""


class PoseDataset(Dataset[Batch]):
    """Crops of one figure, and some of none, with no joint present and an empty mask.

    Items: image (S, S, 3) uint8, keypoints (13, 2) float32 in network pixels, present (13,) float32 and mask
    (S, S) uint8, both of 0 and 1.
    """

    def __init__(
        self,
        stream: Stream,
        size: SizeSchedule,
        length: int,
        *,
        augment: bool = True,
        no_figure: float = NO_FIGURE,
    ) -> None:
        self.stream, self.size, self.length = stream, size, length
        self.augment, self.no_figure = augment, no_figure

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        rng, size = self.stream.rng(index), self.size.of(index)
        image, mask, keypoints, present = _pose_example(rng, size, self.no_figure)
        if self.augment:
            image = jitter_colour(rng, image)
            if rng.random() < 0.5:
                order = list(FLIP_ORDER)
                image, mask = image[:, ::-1], mask[:, ::-1]
                keypoints = keypoints[order] * (-1.0, 1.0) + (float(image.shape[1]), 0.0)
                present = present[order]
        letterbox = Letterbox.fit(image.shape[0], image.shape[1], size)
        # Above the grey of the padding, which is no figure.
        covered = letterbox.apply(np.ascontiguousarray(mask).astype(np.uint8) * 255) > PAD_VALUE
        return {
            "image": torch.from_numpy(letterbox.apply(np.ascontiguousarray(image))),
            "keypoints": torch.from_numpy(letterbox.points_to_network(keypoints).astype(np.float32)),
            "present": torch.from_numpy(present.astype(np.float32)),
            "mask": torch.from_numpy(covered.astype(np.uint8)),
        }


def _pose_example(
    rng: np.random.Generator, size: int, no_figure: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_]]:
    """Image, mask, keypoints and which of them are present."""
    if rng.random() < no_figure:
        image = draw_other_crop(rng, size).image
        nothing = np.zeros(len(KEYPOINTS), dtype=np.bool_)
        return image, np.zeros(image.shape[:2], np.bool_), np.zeros((len(KEYPOINTS), 2), np.float32), nothing
    sheet = draw_crop(rng, size)
    figure = sheet.figures[0]
    return sheet.image, figure.mask, figure.keypoints, figure.present


CLOSE_UP = 0.2
"""Part of the detector's examples on which one figure fills the picture: many are photographed so."""


class SheetDataset(Dataset[Batch]):
    """Whole sheets. Items: image (S, S, 3) uint8 and boxes (N, 4) float32 in network pixels, N >= 0."""

    def __init__(self, stream: Stream, size: SizeSchedule, length: int, *, augment: bool = True) -> None:
        self.stream, self.size, self.length, self.augment = stream, size, length, augment

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        rng, size = self.stream.rng(index), self.size.of(index)
        sheet = draw_crop(rng, size) if rng.random() < CLOSE_UP else draw_sheet(rng, size)
        image = sheet.image
        boxes = np.array([figure.bbox_xyxy for figure in sheet.figures], dtype=np.float64).reshape(-1, 4)
        if self.augment:
            image = jitter_colour(rng, image)
            if rng.random() < 0.5:
                image = image[:, ::-1]
                boxes = boxes[:, [2, 1, 0, 3]] * (-1.0, 1.0, -1.0, 1.0) + (image.shape[1], 0.0) * 2
            image, boxes = _stretch(rng, image, boxes)
        letterbox = Letterbox.fit(image.shape[0], image.shape[1], size)
        corners = letterbox.points_to_network(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        return {
            "image": torch.from_numpy(letterbox.apply(np.ascontiguousarray(image))),
            "boxes": torch.from_numpy(corners.astype(np.float32)),
        }


def _stretch(
    rng: np.random.Generator, image: NDArray[np.uint8], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Change the aspect by up to a third, so that the network meets every kind of letterbox."""
    height, width = image.shape[:2]
    aspect = np.exp(rng.uniform(-0.3, 0.3)) if rng.random() < 0.7 else 1.0
    new_width = max(1, round(width * min(1.0, aspect)))
    new_height = max(1, round(height * min(1.0, 1.0 / aspect)))
    resized = cv2.resize(np.ascontiguousarray(image), (new_width, new_height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8), boxes * ((new_width / width, new_height / height) * 2)


def collate_sheets(items: list[Batch]) -> Batch:
    """Stack sheets; boxes are padded with zeros to (B, N, 4), and count (B,) says how many are real."""
    most = max(1, *(len(item["boxes"]) for item in items))
    boxes = torch.zeros(len(items), most, 4)
    for row, item in zip(boxes, items, strict=True):
        row[: len(item["boxes"])] = item["boxes"]
    return {
        "image": torch.stack([item["image"] for item in items]),
        "boxes": boxes,
        "count": torch.tensor([len(item["boxes"]) for item in items]),
    }


def quiet_worker(_worker: Any) -> None:
    """Keep a data-loading process to one thread, for there is one per core, and let its parent end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
