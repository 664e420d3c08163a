"""Fuzzes one target for a while: python -m fuzz.run TARGET [SECONDS]

Starts from the kept corpus, collects what is new in var/fuzz/TARGET, and writes an input that fails to
fuzz/failures/TARGET, where the tests replay it. Ends with a status other than 0 when there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

PACKAGES = ["animation_server", "bvh_tools", "torchserve_model", "PIL", "pillow_heif", "yaml"]
with atheris.instrument_imports(include=PACKAGES):
    from fuzz.targets import TARGETS

HERE = Path(__file__).parent
GROWN = HERE.parent / "var" / "fuzz"
MAX_BYTES = 16_384
TIMEOUT_S, MEMORY_MB = 20, 2048
"""What one input may cost, on a busy machine and with everything instrumented."""

_IMAGE_WORDS = (
    "\\xff\\xd8\\xff\\xe0", "\\xff\\xe1", "\\xff\\xda", "\\xff\\xc2", "\\xff\\xdb", "Exif\\x00\\x00",
    "IHDR", "PLTE", "tRNS", "iCCP", "eXIf", "acTL", "fdAT", "IDAT", "zTXt", "iTXt", "IEND",
    "RIFF", "WEBP", "VP8 ", "VP8L", "VP8X", "ANIM", "ANMF", "ALPH", "ICCP", "EXIF",
    "ftyp", "heic", "mif1", "meta", "iloc", "iinf", "iprp", "ipco", "ispe", "hvcC", "irot", "grid", "mdat",
)  # fmt: skip
_YAML_WORDS = (
    "!!python/tuple", "!!python/object/apply:os.system", "!!binary", "!!timestamp", "!!set", "!!omap",
    "!!int", "!!float", "&a", "*a", "<<: *a", "? ", "- - ", ".inf", ".nan", "1e999", "0x", "190:20:30",
)  # fmt: skip
_WORDS = {
    "drawing": _IMAGE_WORDS,
    "handler_image": _IMAGE_WORDS,
    "mask": _IMAGE_WORDS,
    "bvh": (
        "HIERARCHY", "ROOT ", "JOINT ", "End Site", "OFFSET ", "CHANNELS ", "MOTION", "Frames: ",
        "Frame Time: ", "Xposition", "Yposition", "Zposition", "Xrotation", "Yrotation", "Zrotation",
        "{", "}", "nan", "1e308", "\\x85", "\\xb2", "99999999999",
    ),
    "model_answer": ("P[", "bbox", "score", "keypoints", "mask", "size", "counts", "NaN", "1e999", "1e308"),
}  # fmt: skip


def main(argv: list[str]) -> None:
    """Fuzz until the time is over; atheris ends the process."""
    target, seconds = argv[1], int(argv[2]) if len(argv) > 2 else 60
    grown, failures = GROWN / target, HERE / "failures" / target
    for folder in (grown, failures):
        folder.mkdir(parents=True, exist_ok=True)
    dictionary = GROWN / f"{target}.dict"
    words = _WORDS.get(target, _YAML_WORDS)
    dictionary.write_text("".join(f'"{word}"\n' for word in words))
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-dict={dictionary}",
        f"-artifact_prefix={failures}/",
        "-print_final_stats=1",
    ]
    # The first folder takes what is found, the others are only read.
    atheris.Setup([argv[0], *options, str(grown), str(HERE / "corpus" / target)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
