"""The tools around the images: sizes, and the list of what is inside."""

from __future__ import annotations

import importlib.util
import io
import json
import random
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.places import ROOT


def tool(name: str) -> ModuleType:
    """Import a script of docker/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docker" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


image_sizes, sbom = tool("image_sizes"), tool("sbom")


def saved_image(layers: list[bytes]) -> io.BytesIO:
    """An image as engines save it, with one step that made no layer."""
    names = [f"{index}.tar" for index in range(len(layers))]
    history = [{"created_by": f"step {index}"} for index in range(len(layers))]
    files = {
        **dict(zip(names, layers, strict=True)),
        "config.json": json.dumps({"history": [{"empty_layer": True}, *history]}).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "Layers": names}]).encode(),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("legacy/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../0.tar"
        tar.addfile(link)
    out.seek(0)
    return out


def test_layers_are_measured_as_they_travel() -> None:
    """Zeros shrink, noise does not; each layer stands beside the step that made it."""
    noise = random.Random(0).randbytes(100_000)
    zeros, dense = image_sizes.measure(saved_image([bytes(100_000), noise]))
    assert (zeros.made_by, dense.made_by) == ("step 0", "step 1")
    assert zeros.unpacked == dense.unpacked == 100_000
    assert zeros.compressed < 1000
    assert dense.compressed == pytest.approx(100_000, rel=0.01)


@pytest.mark.parametrize(
    ("size", "fits"),
    [(100, True), (105, True), (106, False), (131, False)],
    ids=["same", "5 %", "6 %", "limit"],
)
def test_an_image_may_grow_by_a_twentieth(size: int, fits: bool) -> None:
    """Beyond that, or beyond its limit, it is a complaint."""
    record = {"server": {"bytes": 100, "limit": 130}}
    assert (image_sizes.complaint("server", size, record) == "") is fits


def test_the_recorded_sizes_keep_the_limits() -> None:
    """What is recorded is within what was promised."""
    record = json.loads((ROOT / "docker" / "image_sizes.json").read_text())
    promised = {"animation-server": 240e6, "torchserve-model-cpu": 480e6, "torchserve-model-gpu": 3.2e9}
    for name, entry in record.items():
        assert entry["bytes"] <= entry["limit"] <= promised.get(name, 100e6)


def test_the_list_of_packages_names_what_is_installed() -> None:
    """An SPDX 2.3 document: every package once, with its version, contained in the image."""
    packages = sbom.python_packages()
    document = sbom.document("animation-server", "1.2.3", packages)
    assert document["spdxVersion"] == "SPDX-2.3"
    numpy = next(package for package in document["packages"] if package["name"] == "numpy")
    assert numpy["externalRefs"][0]["referenceLocator"].startswith("pkg:pypi/numpy@")
    identities = [package["SPDXID"] for package in document["packages"]]
    assert len(set(identities)) == len(identities) == len(packages) + 1
    contained = [
        r["relatedSpdxElement"] for r in document["relationships"] if r["relationshipType"] == "CONTAINS"
    ]
    assert set(contained) == set(identities) - {"SPDXRef-Image"}


def test_debian_packages_are_read_with_their_licences(tmp_path: Path) -> None:
    """From dpkg's status and the copyright files; what is not installed is left out."""
    (tmp_path / "status").write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n"
        "Description: C\n more\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n"
    )
    (tmp_path / "libc6").mkdir()
    (tmp_path / "libc6" / "copyright").write_text(
        "Files: *\nLicense: LGPL-2.1+\n\nLicense: LGPL-2.1+\n text\n"
    )
    (package,) = sbom.debian_packages(tmp_path / "status", tmp_path)
    assert package == sbom.Package("libc6", "2.36-9", "pkg:deb/debian/libc6@2.36-9?arch=amd64", "LGPL-2.1+")
