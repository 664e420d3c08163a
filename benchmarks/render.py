"""How fast a character folder becomes a GIF, stage by stage, and what it takes in memory and bytes.

python -m benchmarks.render [--runs 7] [--character DIR] [--motion NAME|CONFIG.yaml] [--record]

Times are medians on one core; ratios compare runs that alternate, for a machine's speed varies. Without
options a figure of AnimatedDrawings' examples is used where they lie beside the checkout, else the sample
character. --record appends the table to benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

# products here are small: BLAS threads would only wait for each other; NumPy reads this when it is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from PIL import Image

from animation_server.animate import AnimationOptions, animate_puppet, prepare
from animation_server.character import Character, read_character, write_character
from animation_server.encode.gif import encode_gif
from animation_server.encode.palette import choose_palette
from animation_server.motion.library import Motion, load_motion
from animation_server.motion.rig_motion import RigMotion
from animation_server.render.puppet import Puppet
from animation_server.render.scene import draw_frames, frame_all, make_actor
from animation_server.render.texture import cut_out
from animation_server.rendering import set_in_motion
from animation_server.rig.arap import ArapSolver
from animation_server.rig.creases import cut_creases, line_strength
from animation_server.rig.mesh import Mesh, build_mesh, px_to_rig
from animation_server.rig.parts import label_bones, triangle_bones
from animation_server.rig.working_mask import WorkingMask, make_working_mask
from animation_server.sample import sample_character

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = REPOSITORY.parent / "shared" / "animated_drawings" / "examples"
RESULTS = Path(__file__).parent / "RESULTS.md"
N_FRAMES = 150
OPTIONS = AnimationOptions(size=(400, 400))

_FIRST_GIF = """
import sys
from pathlib import Path
from animation_server.animate import AnimationOptions, animate
from animation_server.character import read_character
from animation_server.motion.library import load_motion
from animation_server.rendering import set_in_motion
from benchmarks.render import first_frames
source, motion, size, n_frames = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
character = read_character(source)
moved = set_in_motion(character, load_motion(Path(motion) if "/" in motion else motion)).motion
clip = animate(character, first_frames(moved, n_frames), AnimationOptions(size=(size, size)))
# a child's ru_maxrss begins with its parent's, so ask the kernel about this process's own memory
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
sys.stdout.write(f"{peak.split()[1]} {clip.n_frames}")
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--character", type=Path)
    parser.add_argument("--motion")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = options.character or _default_folder()
    example = EXAMPLES / "config" / "motion" / "dab.yaml"
    source = options.motion or (str(example) if example.exists() else "dab")
    motion = load_motion(Path(source) if "/" in source else source)
    rows = measure(folder, motion, source, options.runs)
    title = f"{folder.name}, {motion.name}, {N_FRAMES} frames, 400x400; {platform.machine()}, {_cpu()}"
    table = "\n".join((f"### {title}", "", "| what | measured | |", "|---|---|---|", *rows, ""))
    print(table)
    if options.record:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(f"\n{table}")


def measure(folder: Path, motion: Motion, source: str, runs: int) -> list[str]:
    """The table's rows."""
    character = read_character(folder)
    moved = first_frames(set_in_motion(character, motion).motion, N_FRAMES)
    puppet = prepare(character)
    clip = animate_puppet(puppet, moved, OPTIONS)
    frames = pillow_frames(clip.data)

    def whole() -> None:
        fresh = read_character(folder)
        animate_puppet(prepare(fresh), first_frames(set_in_motion(fresh, motion).motion, N_FRAMES), OPTIONS)

    ours, pillows = alternate(runs, whole, lambda: pillow_encode(frames))
    rows = [
        f"| folder to GIF | {ours:.0f} ms | {ours / pillows:.2f} of Pillow's encoding of the same frames |",
        f"| Pillow's encoding alone | {pillows:.0f} ms | {len(pillow_encode(frames)) / 1e6:.2f} MB |",
        f"| size of the GIF | {len(clip.data) / 1e6:.2f} MB | {len(puppet.rest_vertices)} vertices |",
    ]
    rows += [
        f"| – {name} | {median(runs, stage):.1f} ms | |" for name, stage in stages(folder, motion).items()
    ]
    rows.append(two_at_once(puppet, moved, runs))
    started = median(3, lambda: first_gif(folder, source, 400, N_FRAMES))
    rows.append(f"| process start to first GIF | {started / 1e3:.2f} s | |")
    memory, n_frames = first_gif(folder, source, 500, 339).split()
    rows.append(f"| peak memory, {n_frames} frames, 500x500 | {int(memory) / 1024:.0f} MB | |")
    return rows


def first_gif(folder: Path, source: str, size: int, n_frames: int) -> str:
    """Run a process that makes one GIF; its peak memory in KB and the number of frames."""
    command = [sys.executable, "-c", _FIRST_GIF, str(folder), source, str(size), str(n_frames)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout


def stages(folder: Path, motion: Motion) -> dict[str, Callable[[], Any]]:
    """Each stage by itself, on what the one before it made."""
    character = read_character(folder)
    skeleton, shape = character.skeleton, character.mask.shape
    working = make_working_mask(character.mask, skeleton.joints_px)
    mesh = build_mesh(working)
    rest = px_to_rig(skeleton.joints_px, *shape)
    puppet = prepare(character)
    moved = first_frames(set_in_motion(character, motion).motion, N_FRAMES)
    chosen = np.arange(moved.n_frames)
    world = puppet.pose(moved, chosen)
    width, height = OPTIONS.size
    camera = frame_all([world], width, height)
    actor = make_actor(puppet, world, moved.draw_order, camera)
    drawn = [(picture.copy(), box) for picture, box in draw_frames([actor], width, height)]
    colours = actor.sprite.rgba[actor.sprite.rgba[..., 3] == 255][:, :3]
    palette = choose_palette(colours, 127, 0.02)
    handles = (moved.joints_xyz - moved.root_xyz[:, None])[..., :2]
    delays = np.full(len(drawn), 3)
    return {
        "read the folder": lambda: read_character(folder),
        "set in motion": lambda: set_in_motion(character, motion),
        "mesh": lambda: build_mesh(make_working_mask(character.mask, skeleton.joints_px)),
        "bones, creases": lambda: divide(character, working, mesh),
        "ARAP set-up": lambda: ArapSolver(mesh.vertices, mesh.triangles, rest),
        "cut out, even paper": lambda: cut_out(character.texture, character.mask),
        "ARAP, all frames": lambda: puppet.solver.solve(handles),
        "project, scale the texture": lambda: make_actor(puppet, world, moved.draw_order, camera),
        "palette": lambda: choose_palette(colours, 127, 0.02),
        "draw": lambda: sum(1 for _ in draw_frames([actor], width, height)),
        "encode": lambda: encode_gif(drawn, delays, palette, width, height, 0.09),
    }


def divide(character: Character, working: WorkingMask, mesh: Mesh) -> None:
    """What a puppet does to find its parts."""
    skeleton = character.skeleton
    lines = line_strength(character.texture, working)
    labels = label_bones(working, skeleton.parents, skeleton.joints_px, lines)
    cut_creases(working, labels, lines, skeleton.parents, skeleton.joints_px)
    triangle_bones(mesh, working, labels)


def two_at_once(puppet: Puppet, moved: RigMotion, runs: int) -> str:
    """A row: two motions in two threads against one."""
    with ThreadPoolExecutor(2) as pool:
        one, two = alternate(
            runs,
            lambda: animate_puppet(puppet, moved, OPTIONS),
            lambda: list(pool.map(lambda _: animate_puppet(puppet, moved, OPTIONS), range(2))),
        )
    return (
        f"| two motions in two threads | {two:.0f} ms | {two / one:.2f} of one, on {os.cpu_count()} cores |"
    )


def first_frames(motion: RigMotion, n_frames: int) -> RigMotion:
    """The beginning of a motion."""
    return replace(
        motion,
        joints_xyz=motion.joints_xyz[:n_frames],
        root_xyz=motion.root_xyz[:n_frames],
        draw_order=motion.draw_order[:n_frames],
    )


def pillow_frames(data: bytes) -> list[Image.Image]:
    """A GIF's frames in RGBA."""
    frames = []
    with Image.open(io.BytesIO(data)) as image:
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frames.append(image.convert("RGBA"))
    return frames


def pillow_encode(frames: list[Image.Image]) -> bytes:
    """What one does without an encoder of one's own."""
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=33, loop=0, disposal=2)
    return out.getvalue()


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)


def median(runs: int, work: Callable[[], Any]) -> float:
    """Median of some runs after one that is not counted, milliseconds."""
    work()
    return statistics.median(timed(work) for _ in range(runs))


def alternate(runs: int, a: Callable[[], Any], b: Callable[[], Any]) -> tuple[float, float]:
    """Medians of two pieces of work that take turns, milliseconds."""
    a()
    b()
    pairs = [(timed(a), timed(b)) for _ in range(runs)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def _default_folder() -> Path:
    example = EXAMPLES / "characters" / "char1"
    if example.exists():
        return example
    folder = REPOSITORY / "var" / "benchmark" / "sample"
    write_character(sample_character(), folder)
    return folder


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    main()
