"""Makes the inputs that fuzzing starts from, all of them our own: python -m fuzz.seeds"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from animation_server.inference.contract import COCO_KEYPOINTS
from animation_server.motion.library import LIBRARY
from fuzz.targets import CROP, TARGETS

CORPUS = Path(__file__).parent / "corpus"

_BVH = """HIERARCHY
ROOT Hips
{
\tOFFSET 0.0 1.0 -2.5
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
\tJOINT Head
\t{
\t\tOFFSET 0 5 0
\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0 1 0
\t\t}
\t}
}
MOTION
Frames: 2
Frame Time: 0.033333
0 94 0 1 2 3 10 20 30
1e1 94.5 -0.0 4 5 6 40 50 60
"""

_KEYS = """fps: 10
duration: 1.0
loops: true
lag: {Head: 0.06}
poses:
  stand: {root: [0, 94, 0], turn: {Trunk: [5, 0, 3]}, aim: {LeftArm: [1, 0, 0]}, feet: {Left: [12, 8, 0]}}
  other: {base: stand, knees: {Left: [0.3, 0, 1]}}
  left: {mirror: other}
keys:
  - {at: 0.0, pose: stand, hold: 0.2}
  - {at: 0.5, turn: {Head: [1, 2, 3]}}
sway:
  - {track: Head, axis: z, amount: 8, cycles: 2, phase: 0.25}
"""

_CHARACTER = f"""height: {CROP[0]}
width: {CROP[1]}
skeleton:
- {{name: root, loc: [20, 24], parent: null}}
- {{name: hip, loc: [20, 24.5], parent: root}}
- name: torso
  loc: &here [20, 1_0]
  parent: hip
- {{name: neck, loc: *here, parent: torso}}
"""

_MOTION = """filepath: motion.bvh
start_frame_idx: 0
end_frame_idx: 10
groundplane_joint: LeftFoot
forward_perp_joint_vectors:
  - !!python/tuple [LeftShoulder, RightShoulder]
  - - LeftUpLeg
    - RightUpLeg
scale: 0.025
up: +y
"""

_SCENE = """scene:
  ANIMATED_CHARACTERS:
    - character_cfg: motion.yaml
      motion_cfg: motion.yaml
      retarget_cfg: motion.yaml
  ADD_FLOOR: false
view:
  CLEAR_COLOR: [1.0, 1.0, 1.0, 0.0]
  WINDOW_DIMENSIONS: [500, 400]
  CAMERA_POS: [0.0, 0.7, 2.0]
  CAMERA_FWD: [0.0, 0.5, 8.0]
  BACKGROUND_IMAGE: motion.bvh
controller: {MODE: video_render, OUTPUT_VIDEO_PATH: video.gif, OUTPUT_VIDEO_CODEC: null}
"""


def main() -> None:
    """Write the seeds of every target; inputs that are there already stay."""
    seeds = {
        "drawing": dict(_drawings()),
        "handler_image": dict(_drawings()),
        "mask": {
            mode.lower(): _png(Image.new(mode, CROP[::-1], "white")) for mode in ("1", "L", "RGBA", "P")
        },
        "bvh": {"small": _BVH.encode()},
        "motion_keys": {"small": _KEYS.encode()},
        "character_config": {"small": _CHARACTER.encode()},
        "motion_config": {"small": _MOTION.encode()},
        "retarget_config": {"frontal": (LIBRARY / "frontal.yaml").read_bytes()},
        "scene_config": {"small": _SCENE.encode()},
        "model_answer": dict(_answers()),
    }
    for target in TARGETS:
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds[target].items():
            (folder / f"seed-{name}").write_bytes(data)


def _drawings() -> Iterator[tuple[str, bytes]]:
    """A small picture in every format and mode that is read, with metadata and without."""
    ramp = np.linspace(0, 255, 32 * 24 * 3).reshape(24, 32, 3).astype(np.uint8)
    picture = Image.fromarray(ramp)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x9286] = "comment"
    for name, image, options in (
        ("jpeg", picture, {"format": "JPEG", "exif": exif}),
        ("progressive", picture, {"format": "JPEG", "progressive": True}),
        ("cmyk", picture.convert("CMYK"), {"format": "JPEG"}),
        ("grey", picture.convert("L"), {"format": "JPEG"}),
        ("png", picture.convert("RGBA"), {"format": "PNG", "exif": exif}),
        ("palette", picture.quantize(16), {"format": "PNG", "transparency": 3}),
        ("deep", Image.fromarray(ramp[..., 0].astype(np.uint16) << 8), {"format": "PNG"}),
        ("lossy", picture, {"format": "WEBP", "quality": 30, "exif": exif}),
        ("lossless", picture.convert("RGBA"), {"format": "WEBP", "lossless": True}),
        ("animated", picture, {"format": "WEBP", "save_all": True, "append_images": [picture.rotate(90)]}),
    ):
        stream = io.BytesIO()
        image.save(stream, **options)
        yield name, stream.getvalue()
    stream = io.BytesIO()
    pillow_heif.from_pillow(picture).save(stream, quality=30, exif=exif.tobytes())
    yield "heic", stream.getvalue()


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _answers() -> Iterator[tuple[str, bytes]]:
    """Answers by the contract."""
    yield "detections", json.dumps([{"class_name": "x", "bbox": [1, 2.5, 30, 40], "score": 0.9}]).encode()
    height, width = CROP
    mask = {"size": [height, width], "counts": [100, 300, height * width - 400]}
    keypoints = [[10.0 + i, 20.0, 0.5] for i in range(len(COCO_KEYPOINTS))]
    yield "pose", b"P" + json.dumps([{"keypoints": keypoints, "mask": mask}]).encode()


if __name__ == "__main__":
    main()
