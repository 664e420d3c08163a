"""From images to boxes, joints and masks. Imports no torch of its own accord.

What happens before and after the networks exists here once, for the server that runs them in its own process
and for the TorchServe handlers alike; they differ in the backend.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from torchserve_model.letterbox import Letterbox
from torchserve_model.onnx_runtime import onnxruntime

WEIGHTS_DIR = Path(__file__).parent / "weights"
MODELS_FILE = "models.json"

_DECIDING = ("letterbox.py", "predictor.py", "rle.py")
"""Modules that decide the answers, beside the networks."""

KEYPOINT_NAMES = (
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hand", "right_hand",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_foot", "right_foot",
)  # fmt: skip
"""The network's own keypoints; left and right are the figure's own."""

COCO_FROM_KEYPOINTS = (0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
"""COCO's seventeen keypoints from the thirteen: a drawing's eyes and ears stand in for by its nose."""

VIEWS = (1.0, 0.9, 0.8)
"""Sizes at which the pose network sees a crop, each also mirrored. Of the joints that one look puts more than
0.1 off, six looks put one in eight near enough; they cost less than drawing a motion.
"""

_SAME_PLACE = 0.06
"""How far apart, in longer sides of the crop, views may put a joint and still mean the same place."""

_FLIPPED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)

BBox = tuple[float, float, float, float]


class Backend(Protocol):
    """One network with its weights, wherever it runs.

    size : pixels a side of its square input.
    """

    size: int

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, size, size, 3) uint8 RGB to the network's two outputs."""
        ...


class OnnxBackend:
    """A network in ONNX Runtime, on the CPU."""

    def __init__(self, path: Path, *, intra_op_num_threads: int = 0) -> None:
        """Load the weights; `intra_op_num_threads` is what a call uses, 0 for as many as there are cores."""
        if not path.exists():
            raise FileNotFoundError(
                f"{path}: want a network's weights, found no file; "
                "make them with python -m torchserve_model.export"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_num_threads
        # Threads that spin while they wait take the cores that the renderer needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self.size = int(self._session.get_inputs()[0].shape[1])

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See Backend."""
        first, second = self._session.run(None, {self._input: images})
        return first, second


@dataclass(frozen=True)
class DetectorOptions:
    """How boxes are chosen.

    score_threshold : boxes with a lower score are no figures.
    iou_threshold : of two boxes that overlap more, the better stays.
    inside_threshold : likewise when more than this part of the smaller box lies in the other: a hand or a
        face is not a second figure.
    """

    score_threshold: float = 0.35
    iou_threshold: float = 0.5
    inside_threshold: float = 0.8


class FigureDetector:
    """Finds the drawn figures on sheets."""

    def __init__(self, backend: Backend, options: DetectorOptions = DetectorOptions()) -> None:
        self._backend, self._options = backend, options

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[tuple[BBox, float]]]:
        """For each (H, W, 3) uint8 RGB image its figures, best first: box in image pixels, score 0 to 1."""
        if not images:
            return []
        letterboxes = [_letterbox(image, self._backend.size) for image in images]
        squares = [box.apply(image) for box, image in zip(letterboxes, images, strict=True)]
        boxes, scores = self._backend.run(np.stack(squares))
        return [self._choose(*found) for found in zip(letterboxes, boxes, scores, strict=True)]

    def _choose(
        self, letterbox: Letterbox, boxes: NDArray[np.float32], scores: NDArray[np.float32]
    ) -> list[tuple[BBox, float]]:
        likely = scores >= self._options.score_threshold
        in_image = letterbox.boxes_to_image(boxes[likely])
        has_area = (in_image[:, 2:] > in_image[:, :2]).all(axis=1)
        in_image, likely_scores = in_image[has_area], scores[likely][has_area]
        kept = suppress(in_image, likely_scores, self._options.iou_threshold, self._options.inside_threshold)
        return [(_bbox(in_image[index]), float(likely_scores[index])) for index in kept]


class PoseEstimator:
    """Locates the joints and the mask of the figure that fills a crop."""

    def __init__(self, backend: Backend, fills: Sequence[float] = VIEWS) -> None:
        """Answer with a network that sees each crop at several sizes and mirrored, and merges.

        fills : shares of its input that the crop takes, the first being 1; none for a single look.
        """
        self._backend, self._fills = backend, fills

    def estimate_pose(
        self, crops: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """For each (H, W, 3) uint8 RGB crop its keypoints and mask.

        keypoints : (17, 3) float64 in COCO's order: x, y in crop pixels, score 0 to 1.
        mask : (H, W) bool, True on the figure.
        """
        if not crops:
            return []
        size, count = self._backend.size, len(crops)
        boxes = [[_letterbox(crop, size, fill) for crop in crops] for fill in self._fills or (1.0,)]
        squares = np.stack([box.apply(crop) for row in boxes for box, crop in zip(row, crops, strict=True)])
        keypoints, masks = self._backend.run(squares)
        if self._fills:
            mirrored, mirrored_masks = self._backend.run(np.ascontiguousarray(squares[:, :, ::-1]))
            back = mirrored[:, list(_FLIPPED)] * (-1.0, 1.0, 1.0) + (size, 0.0, 0.0)
            keypoints = np.stack((keypoints, back), axis=1)  # (V * B, 2, 13, 3)
            # The larger the figure, the finer its mask: only the first size is good enough.
            masks = (masks[:count] + mirrored_masks[:count, :, ::-1]) / 2.0
        keypoints = keypoints.reshape(len(boxes), count, -1, *keypoints.shape[-2:])
        return [
            self._to_crop([row[index] for row in boxes], keypoints[:, index], masks[index])
            for index in range(count)
        ]

    @staticmethod
    def _to_crop(
        boxes: Sequence[Letterbox], keypoints: NDArray[np.floating], mask: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Merge the views of a crop: keypoints (V, 1 or 2, 13, 3) in network pixels, V letterboxes."""
        views = np.array(keypoints, dtype=np.float64)
        for box, of_box in zip(boxes, views, strict=True):
            of_box[..., :2] = box.points_to_image(of_box[..., :2])
        limit = np.array([boxes[0].image_hw[1], boxes[0].image_hw[0]], dtype=np.float64)
        merged = merge_views(views.reshape(-1, *views.shape[-2:]), float(limit.max()))
        merged[:, :2] = np.clip(merged[:, :2], 0.0, limit)
        return merged[list(COCO_FROM_KEYPOINTS)], boxes[0].map_to_image(mask) > 0.5


@dataclass(frozen=True)
class Predictor:
    """Both networks in this process.

    version : see models_version; differs whenever an answer may.
    """

    detector: FigureDetector
    pose: PoseEstimator
    version: str

    @classmethod
    def load(
        cls, weights_dir: Path | None = None, *, intra_op_num_threads: int = 0, fills: Sequence[float] = VIEWS
    ) -> Predictor:
        """Load the ONNX weights of a folder, by default the ones that come with the package.

        intra_op_num_threads : threads a call uses, 0 for as many as there are cores.
        fills : see PoseEstimator.
        """
        folder = weights_dir or WEIGHTS_DIR
        files = [folder / f"{name}.onnx" for name in ("detector", "pose")]
        detector, pose = (OnnxBackend(file, intra_op_num_threads=intra_op_num_threads) for file in files)
        return cls(FigureDetector(detector), PoseEstimator(pose, fills), models_version(folder))

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[tuple[BBox, float]]]:
        """See FigureDetector.detect."""
        return self.detector.detect(images)

    def estimate_pose(
        self, crops: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """See PoseEstimator.estimate_pose."""
        return self.pose.estimate_pose(crops)


def models_version(weights_dir: Path | None = None) -> str:
    """The version that answers go by: of a folder's weights and of the code around the networks.

    Keys of stored animations carry it, so a change of either makes them anew, without a number to be raised.
    """
    content = json.loads(((weights_dir or WEIGHTS_DIR) / MODELS_FILE).read_text())
    digest = hashlib.sha256(str(content["version"]).encode())
    for module in _DECIDING:
        digest.update((Path(__file__).parent / module).read_bytes())
    return digest.hexdigest()[:12]


def suppress(
    boxes: NDArray[np.float64], scores: NDArray[np.float32], iou_threshold: float, inside_threshold: float
) -> list[int]:
    """Non-maximum suppression: indices of the (N, 4) boxes that stay, best first."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        iou, inside = overlaps(boxes[index], boxes[kept])
        if not ((iou > iou_threshold) | (inside > inside_threshold)).any():
            kept.append(index)
    return kept


def overlaps(
    box: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intersection of one (4,) box with (N, 4) others: over the union, and over the smaller of the two."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    intersection = np.clip(shared, 0.0, None).prod(axis=1)
    area = float((box[2:] - box[:2]).prod())
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    tiny = np.finfo(np.float64).tiny
    return (
        intersection / np.maximum(area + areas - intersection, tiny),
        intersection / np.maximum(np.minimum(area, areas), tiny),
    )


def merge_views(views: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Merge what a network said of several views of a figure, (V, K, 3) x, y and confidence, into (K, 3).

    Of each joint, the place with the most confidence about it is found, and what was said nearby is averaged
    by confidence; what lies elsewhere is left out. The confidence is that place's share of all views.

    side : longer side of the figure's crop, in the unit of x and y.
    """
    places, weights = views[..., :2], np.maximum(views[..., 2], 1e-6)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)  # (V, V, K)
    near = apart < _SAME_PLACE * side
    support = (near * weights[None]).sum(axis=1)  # (V, K)
    best = support.argmax(axis=0)
    of_joint = np.arange(views.shape[1])
    counted = near[best, :, of_joint].T * weights  # (V, K)
    merged = (places * counted[..., None]).sum(axis=0) / counted.sum(axis=0)[:, None]
    return np.column_stack((merged, support[best, of_joint] / len(views)))


def _letterbox(image: NDArray[np.uint8], size: int, fill: float = 1.0) -> Letterbox:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: want (H, W, 3) uint8, got {image.shape} {image.dtype}")
    return Letterbox.fit(image.shape[0], image.shape[1], size, fill)


def _bbox(box: NDArray[np.float64]) -> BBox:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
