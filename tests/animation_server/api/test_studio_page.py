"""How the studio's page is handed out: whole, fenced in, and only where it is wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import animation_server
from animation_server.api.keys import add_key
from animation_server.settings import Settings
from tests.app_client import Start, assert_error


def test_every_part_of_the_page_is_there(start: Start) -> None:
    """What the page and its modules name can be fetched, as what it is."""
    http = start().http
    page = http.get("/")
    assert page.mimetype == "text/html"
    wanted = re.findall(r'(?:src|href)="(studio/[^"]+)"', page.text)
    types: dict[str, str] = {}
    while wanted:
        part = wanted.pop()
        answer = http.get(f"/{part}")
        assert answer.status_code == 200
        types[part] = answer.mimetype
        imported = re.findall(r'from "\./([^"]+)"', answer.text)
        wanted += [f"studio/{name}" for name in imported if f"studio/{name}" not in types]
    files = {f"studio/{path.name}" for path in Path(animation_server.__file__).parent.glob("studio/*.*")}
    assert set(types) == files - {"studio/index.html"}
    of_suffix = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert types == {part: of_suffix[Path(part).suffix] for part in types}


def test_nobody_elses_script_runs(start: Start) -> None:
    """The policy lets in the server's own scripts and styles, no inline ones, and no page around it."""
    http = start().http
    for path in ("/", "/studio/studio.js"):
        policy = http.get(path).headers["Content-Security-Policy"]
        directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
        assert directives["default-src"] == "'none'"
        assert directives["script-src"] == directives["connect-src"] == "'self'"
        assert directives["frame-ancestors"] == "'none'"
        assert directives["require-trusted-types-for"] == "'script'"
    page = http.get("/").text
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)


def test_it_is_asked_for_again_and_not_sent_again(start: Start) -> None:
    """A newer server's page is seen at once; an unchanged one costs no bytes."""
    http = start().http
    first = http.get("/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = http.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name", ["../app.py", "%2e%2e/app.py", "", "nothing.js", "index.html/", "sub/studio.js"]
)
def test_nothing_else_is_handed_out(start: Start, name: str) -> None:
    """Of the server's files only the studio's."""
    assert_error(start().http.get(f"/studio/{name}"), 404, "not_found")


def test_the_page_needs_no_key(start: Start, tmp_path: Path) -> None:
    """It asks people for theirs; what it calls needs one."""
    add_key(tmp_path / "keys", "somebody")
    http = start(Settings(api_keys_file=str(tmp_path / "keys"))).http
    assert http.get("/").status_code == http.get("/studio/studio.js").status_code == 200
    assert http.get("/v1/motions").status_code == 401


def test_it_can_be_left_out(start: Start) -> None:
    """With the setting off there is no page, and the original mobile contract at the same path stays."""
    server = start(Settings(studio=False))
    assert_error(server.http.get("/"), 405, "method_not_allowed")
    assert_error(server.http.get("/studio/studio.js"), 404, "not_found")
    assert_error(server.http.post("/", data=b"?"), 400, "invalid_json")
