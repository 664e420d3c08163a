"""Takes out of an installed environment what the service never uses; runs while an image is built.

python slim.py SITE_PACKAGES

Folders and files go that nothing imports. Libraries that a wheel is linked against and that our code never
comes to call are replaced by stubs: the loader finds its names, and whoever calls one after all reads what is
missing. So the images carry neither FFmpeg nor OpenSSL for OpenCV's sake, which no one would mend there. Then
go the libraries that nothing needs any more, and the symbols for debuggers. At the end everything that was
touched has to load. Needs binutils and tcc.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

REMOVED = {
    "PIL": ["_avif*", "_imagingft*", "_imagingtk*"],
    "botocore": ["data/*"],
    "gevent": ["testing"],
    "numba": ["cuda"],
    "numpy": ["_core/_simd*", "_core/*_tests*"],
    # the same code a second time, for C programs; and tools for those who make models
    "onnxruntime": ["capi/libonnxruntime.so*", "quantization", "tools", "transformers"],
    "prompt_toolkit": ["*"],  # for Celery's own command line, which our worker does without
    "pydantic": ["v1"],
    # what is left: linear algebra, sparse matrices, Delaunay's triangulation
    "scipy": [
        "cluster", "datasets", "differentiate", "fft", "fftpack", "integrate", "interpolate", "io",
        "linalg/_decomp_interpolative*", "misc", "ndimage", "odr", "optimize", "signal",
        "special/cython_special*", "stats",
    ],
    "torch": ["bin/*", "include", "share"],
    "ts": ["torch_handler/unit_tests"],
    "wcwidth": ["*"],
}  # fmt: skip
"""Package to patterns in its folder. A pattern that finds nothing stops the build: it is out of date."""

KEPT = frozenset({
    "botocore/data/_retry.json", "botocore/data/endpoints.json", "botocore/data/partitions.json",
    "botocore/data/sdk-default-configuration.json", "botocore/data/s3", "botocore/data/sso",
    "botocore/data/sso-oidc", "botocore/data/sts",
    "torch/bin/torch_shm_manager",
})  # fmt: skip
"""S3, the services that credentials come from, and what torch starts itself."""

AS_PACKED = frozenset({"nvidia", "torch", "triton"})
"""Packages whose libraries were laid out by hand by those who packed them; strip cannot follow."""

REMOVED_ANYWHERE = ("**/tests", "**/*.a", "**/*.h", "**/*.hpp", "**/*.pxd", "**/*.pyi", "**/*.pyx")

STUBBED = {
    # video, what AVIF decodes with, and large matrices
    "opencv_python_headless.libs": [
        "libaom*", "libavcodec*", "libavformat*", "libavutil*", "libopenblas*", "libswscale*",
    ],
    # codecs other than H.264, sound, screens and the network
    "av.libs": [
        "libSvtAv1Enc*", "libasound*", "libdav1d*", "libgnutls*", "libmp3lame*", "libopencore*", "libopus*",
        "libvpl*", "libvpx*", "libx265*", "libxcb*",
    ],
    # HEIC is read here, not written
    "pillow_heif.libs": ["libx265*"],
}  # fmt: skip
"""Folder of a wheel's libraries to those in it that we never come to use."""

ASKED = frozenset({"vpx_codec_get_caps", "vpx_codec_vp9_cx", "x265_api_get"})
"""Functions that FFmpeg calls at its start, to see what a codec can do. The stub's answer, 0, is: nothing."""

STUB = """
long write(int, const void *, unsigned long);
void abort(void);
static void gone(void) {{
  static const char message[] = "{name}: called, but this image has a stub of it; see docker/slim.py\\n";
  write(2, message, sizeof message - 1);
  abort();
}}
"""


def main(site: Path) -> None:
    """Slim one environment."""
    before = size_of(site)
    remove(site)
    touched = [library for folder in STUBBED for library in stub_folder(site, folder)]
    drop_unneeded(site)
    link_twins(site)
    touched += strip(site)
    check_loads(touched)
    sys.stdout.write(f"{site}: {before / 1e6:.0f} MB before, {size_of(site) / 1e6:.0f} MB after\n")


def remove(site: Path) -> None:
    """Remove what REMOVED and REMOVED_ANYWHERE name."""
    for package, patterns in REMOVED.items():
        for pattern in patterns if (site / package).is_dir() else []:
            found = list((site / package).glob(pattern))
            if not found:
                raise SystemExit(f"slim.py: {package}/{pattern}: expected something to remove, found nothing")
            delete(path for path in found if str(path.relative_to(site)) not in KEPT)
    for pattern in REMOVED_ANYWHERE:
        delete(list(site.glob(pattern)))


def stub_folder(site: Path, folder: str) -> Iterator[Path]:
    """Put stubs in the place of a folder's libraries; yields those that are linked against them."""
    needs = {file: needed_by(file) for file in elf_files(site)} if (site / folder).is_dir() else {}
    for pattern in STUBBED[folder] if needs else []:
        found = list((site / folder).glob(pattern))
        if not found:
            raise SystemExit(f"slim.py: {folder}/{pattern}: expected a library to replace, found none")
        for library in found:
            users = [file for file, needed in needs.items() if library.name in needed]
            write_stub(library, users)
            yield from users


def write_stub(library: Path, users: Iterable[Path]) -> None:
    """Replace a library by one with the symbols that its users want of it, at the same versions."""
    defined = dict(symbols(library, "--defined-only"))
    wanted = {
        symbol: version
        for user in users
        for (symbol, version), _ in symbols(user, "--undefined-only")
        if (symbol, version) in defined
    }
    source = STUB.format(name=library.name)
    versions = defaultdict(list)
    for symbol, version in wanted.items():
        is_function = defined[symbol, version] in "TWi"
        if not is_function:
            source += f"char {symbol}[64];\n"
        elif symbol.rstrip("_0123456789") in ASKED:
            source += f"void *{symbol}(void) {{ return 0; }}\n"
        else:
            source += f"void {symbol}(void) {{ gone(); }}\n"
        versions[version].append(symbol)
    with tempfile.TemporaryDirectory() as folder:
        code, compiled, script = (Path(folder) / name for name in ("stub.c", "stub.o", "stub.map"))
        code.write_text(source)
        script.write_text(
            "".join(
                f"{version} {{ global: {'; '.join(names)}; }};\n"
                for version, names in versions.items()
                if version
            )
        )
        run("tcc", "-c", "-o", compiled, code)
        versioned = ["--version-script", script] if script.stat().st_size else []
        run("ld", "-shared", "-s", "-soname", library.name, *versioned, "-o", library, compiled)


def drop_unneeded(site: Path) -> None:
    """Remove the wheels' libraries that no extension module is linked against, directly or by others."""
    files = elf_files(site)
    bundled = [file for file in files if file.parent.name in {*STUBBED, "pillow.libs"}]
    todo = [file for file in files if file not in bundled]
    needed: set[str] = set()
    while todo:
        new = set(needed_by(todo.pop())) - needed
        needed |= new
        todo += [file for file in bundled if file.name in new]
    delete(file for file in bundled if file.name not in needed)


def link_twins(site: Path) -> None:
    """Keep once what several wheels bring alike, such as Fortran's run-time library."""
    first: dict[bytes, Path] = {}
    for file in sorted(file for file in elf_files(site) if file.parent.name.endswith(".libs")):
        twin = first.setdefault(hashlib.sha256(file.read_bytes()).digest(), file)
        if twin != file:
            file.unlink()
            file.symlink_to(Path("..", twin.relative_to(site)))


def strip(site: Path) -> list[Path]:
    """Strip extension modules and their like; returns what was stripped.

    Libraries in `*.libs` were laid out anew by whoever packed the wheel, as those in AS_PACKED were; some
    others cannot be stripped either.
    """
    stripped = []
    for file in elf_files(site):
        if not file.parent.name.endswith(".libs") and file.relative_to(site).parts[0] not in AS_PACKED:
            smaller = file.with_name(file.name + ".stripped")
            run("strip", "--strip-unneeded", "-o", smaller, file)
            if is_aligned(smaller):
                smaller.replace(file)
                stripped.append(file)
            else:
                smaller.unlink()
    return stripped


def is_aligned(library: Path) -> bool:
    """Tell whether the loader can map the segments as they lie in the file."""
    for line in run("readelf", "-lW", library).splitlines():
        if line.split()[:1] == ["LOAD"]:
            offset, address, *_, alignment = (
                int(field, 16) for field in line.split()[1:] if field[:2] == "0x"
            )
            if (address - offset) % alignment:
                return False
    return True


def check_loads(libraries: Iterable[Path]) -> None:
    """Stop unless each of the libraries that are still there can be loaded."""
    code = "import ctypes, sys; [ctypes.CDLL(path) for path in sys.stdin.read().splitlines()]"
    paths = "\n".join(str(path) for path in sorted(set(libraries)) if path.exists())
    run(sys.executable, "-c", code, stdin=paths)


# -- what they share ------------------------------------------------------------------------------------


def run(*command: str | Path, stdin: str = "") -> str:
    """Run a program and return its output; stops where it fails."""
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"slim.py: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def symbols(library: Path, which: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Dynamic symbols: (name, version), and nm's letter for what it is."""
    for line in run("nm", "-D", which, library).splitlines():
        *_, kind, symbol = line.split()
        name, _, version = symbol.partition("@")
        yield (name, version.lstrip("@")), kind


def needed_by(library: Path) -> list[str]:
    """Names of the libraries that one is linked against."""
    lines = run("readelf", "-d", library).splitlines()
    return [line.rpartition("[")[2].rstrip("]") for line in lines if "(NEEDED)" in line]


def elf_files(site: Path) -> list[Path]:
    """Shared libraries and extension modules."""
    return [path for path in site.rglob("*.so*") if path.is_file() and is_elf(path)]


def is_elf(path: Path) -> bool:
    """Tell by the first bytes."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def delete(paths: Iterable[Path]) -> None:
    """Delete files and folders."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """Bytes in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
