"""Lists what an image is made of, as an SPDX 2.3 document: Debian's packages and Python's.

python - NAME VERSION [--licences] < sbom.py      runs inside the image

--licences prints a table of packages and licences instead. It needs nothing but the standard library.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

DPKG_STATUS = Path("/var/lib/dpkg/status")
_CLASSIFIER = "License :: OSI Approved :: "


@dataclass(frozen=True)
class Package:
    """One package. url : in the scheme of package URLs. licence : as its packager words it, or empty."""

    name: str
    version: str
    url: str
    licence: str


def python_packages() -> list[Package]:
    """What pip installed."""
    found = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        url = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{distribution.version}"
        found[url] = Package(name, distribution.version, url, _licence(distribution))
    return sorted(found.values(), key=lambda package: package.url)


def _licence(distribution: Distribution) -> str:
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [text.removeprefix(_CLASSIFIER) for text in metadata.get_all("Classifier", [])]
    named = [text for text in classifiers if not text.startswith("License ::") and "License" in text]
    # Some put the whole text into the field that is meant for the name.
    return "; ".join(named) or (metadata.get("License") or "").strip().partition("\n")[0][:80]


def debian_packages(status: Path = DPKG_STATUS, documents: Path = Path("/usr/share/doc")) -> list[Package]:
    """What dpkg installed."""
    packages = []
    for stanza in status.read_text(errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.MULTILINE))
        if "install ok installed" in fields.get("Status", ""):
            name, version = fields["Package"], fields["Version"]
            url = f"pkg:deb/debian/{name}@{version}?arch={fields['Architecture']}"
            packages.append(Package(name, version, url, _debian_licence(documents / name / "copyright")))
    return sorted(packages, key=lambda package: package.url)


def _debian_licence(copyright_file: Path) -> str:
    if not copyright_file.exists():
        return ""
    names = re.findall(r"^License: *(\S.*)$", copyright_file.read_text(errors="replace"), re.MULTILINE)
    return "; ".join(dict.fromkeys(names))


def document(name: str, version: str, packages: list[Package]) -> dict[str, object]:
    """The SPDX document of an image."""
    image = {
        "SPDXID": "SPDXRef-Image", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False, "primaryPackagePurpose": "CONTAINER",
    }  # fmt: skip
    described = [
        {
            "SPDXID": f"SPDXRef-Package-{number}",
            "name": package.name,
            "versionInfo": package.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            # Packagers' wordings are seldom SPDX expressions, so they are told as words.
            "licenseDeclared": "NOASSERTION",
            "licenseComments": package.licence or "not stated by the package",
            "copyrightText": "NOASSERTION",
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": package.url,
                }
            ],
        }
        for number, package in enumerate(packages)
    ]
    now = datetime.now(UTC)
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{version}-{now:%Y%m%dT%H%M%SZ}",
        "creationInfo": {"created": f"{now:%Y-%m-%dT%H:%M:%SZ}", "creators": ["Tool: docker/sbom.py"]},
        "packages": [image, *described],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-Image",
            },
            *(
                {
                    "spdxElementId": "SPDXRef-Image",
                    "relationshipType": "CONTAINS",
                    "relatedSpdxElement": package["SPDXID"],
                }
                for package in described
            ),
        ],
    }  # fmt: skip


def main(name: str, version: str, form: str = "") -> int:
    """Write the document, or the table, to the standard output."""
    packages = [*debian_packages(), *python_packages()]
    if form == "--licences":
        for package in packages:
            sys.stdout.write(f"{package.name}\t{package.version}\t{package.licence or 'not stated'}\n")
    else:
        json.dump(document(name, version, packages), sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
