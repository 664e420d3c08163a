"""docs/api.md tells the truth: its lines work when pasted, and it names every call."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from tests.parts.server import animation_server
from tests.places import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PASTED = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S))
SIGNS = (
    '"dab": ',
    '"revision": 1',
    '"revision": 2',
    '"revision": 3',
    '"state": "done"',
    "event: done",
    "204 NO CONTENT",
    "415 UNSUPPORTED MEDIA TYPE",
    "304 NOT MODIFIED",
    "animation_delivered",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq"
    ),
]


def test_the_lines_work_when_pasted(tmp_path: Path) -> None:
    """Run one after the other against a server, each prints what the page says it does."""
    for name in ("docs", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    script = PASTED.replace("http://127.0.0.1:8000", "$1")
    with animation_server(tmp_path / "server", {"ANIMATION_FRAMES": "20"}) as server:
        described = requests.get(f"{server.url}/openapi.json", timeout=10).json()
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-x", "-c", script, "bash", server.url],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode == 0, result.stderr + result.stdout
    printed = result.stdout
    assert "internal_error" not in printed
    for sign in SIGNS:
        assert sign in re.sub(r'":\s*', '": ', printed), printed
    assert (tmp_path / "preview.gif").read_bytes().startswith(b"GIF89a")
    unnamed = [path for path in described["paths"] if not _is_called(path)]
    assert unnamed == []


def _is_called(path: str) -> bool:
    """Tell whether a path of the document stands in one of the page's lines."""
    if path.startswith(("/objects", "/studio")):  # named by answers, and by the page at /
        return True
    pattern = re.escape("$SERVER") + re.sub(r"\\\{\w+\\\}", r"[$\\w]+", re.escape(path)) + r"(?=[\s\"?)]|$)"
    return re.search(pattern, PASTED, re.M) is not None
