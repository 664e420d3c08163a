"""API keys: the file, the ring that follows it, and the command that fills it."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import pytest

from animation_server.api.keys import KeyRing, add_key, read_keys, remove_keys
from animation_server.cli.main import BAD_INPUT, USAGE, main
from animation_server.errors import InputError, SettingsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "api-keys"


def test_a_new_key_opens_and_is_kept_nowhere(file: Path) -> None:
    """The file holds the SHA-256 of what was handed out, and nothing that leads back to it."""
    key = add_key(file, "mobile-app")
    assert KeyRing(file).holder_of(key) == "mobile-app"
    text = file.read_text()
    assert key not in text
    assert hashlib.sha256(key.encode()).hexdigest() in text
    assert len(key) > 40


def test_other_keys_do_not_open(file: Path) -> None:
    """Nothing near a key will do, nor its hash, nor what is no text."""
    key = add_key(file, "app")
    ring = KeyRing(file)
    digest = read_keys(file)[0].digest
    for other in (
        "",
        key[:-1],
        key + "x",
        key.upper(),
        digest,
        digest[7:],
        "ä" * 20,
        "\udcff",
        "x" * 100_000,
    ):
        assert ring.holder_of(other) is None


def test_rotation_without_a_gap(file: Path) -> None:
    """Two keys of one name hold at once; the old one ends when its line is taken out. No restart between."""
    old = add_key(file, "app")
    ring = KeyRing(file)
    new = add_key(file, "app")
    assert ring.holder_of(old) == ring.holder_of(new) == "app"
    file.write_text(file.read_text().splitlines(keepends=True)[1])
    assert ring.holder_of(old) is None
    assert ring.holder_of(new) == "app"


@pytest.mark.parametrize(
    "broken",
    [b"app sha256:abc\n", b"", b"# nobody\n", b"\xff\xfe", b"two words too many\n", b"x" * (1 << 20) + b"\n"],
)
def test_a_broken_file_changes_nothing(file: Path, broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The last good keys hold, the log says so once; when the file is mended, it counts again."""
    key = add_key(file, "app")
    ring = KeyRing(file)
    good = file.read_text()
    file.write_bytes(broken)
    with caplog.at_level(logging.ERROR):
        assert ring.holder_of(key) == "app"
        assert ring.holder_of(key) == "app"
    assert len(caplog.records) == 1
    assert str(file) in vars(caplog.records[0])["reason"]
    file.write_text(good.replace("app", "other"))
    assert ring.holder_of(key) == "other"


def test_a_file_that_goes_away_changes_nothing(file: Path) -> None:
    """As when a mounted secret is replaced."""
    key = add_key(file, "app")
    ring = KeyRing(file)
    file.unlink()
    assert ring.holder_of(key) == "app"


def test_follows_a_link_that_turns(tmp_path: Path) -> None:
    """Kubernetes swaps the directory behind a link; sizes and names stay the same."""
    first, second = add_key(tmp_path / "1" / "keys", "app"), add_key(tmp_path / "2" / "keys", "app")
    for version in ("1", "2"):
        os.utime(tmp_path / version / "keys", ns=(0, 0))
    link = tmp_path / "current"
    link.symlink_to("1")
    ring = KeyRing(link / "keys")
    assert ring.holder_of(first) == "app"
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(link)
    assert (ring.holder_of(first), ring.holder_of(second)) == (None, "app")


def test_a_start_without_keys_is_refused(file: Path) -> None:
    """A misspelt path must not leave the doors open; and a key pasted into the file is not shown."""
    with pytest.raises(SettingsError, match="cannot read it"):
        KeyRing(file)
    file.parent.mkdir()
    file.write_text("# a comment\n\napp animate_secretsecret\n")
    with pytest.raises(SettingsError, match=r"api-keys:3: expected NAME") as caught:
        KeyRing(file)
    assert "secretsecret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "two words", "a\nb", "#", "ä", "x" * 65, "-x", "a b sha256:" + "0" * 64]
)
def test_names_that_would_break_the_file_are_refused(file: Path, name: str) -> None:
    """A name is one word of plain letters."""
    with pytest.raises(InputError, match="name"):
        add_key(file, name)
    assert not file.exists()


def test_comments_and_other_lines_are_kept(file: Path) -> None:
    """What an operator wrote beside the keys is not lost, a missing line end is mended."""
    add_key(file, "a")
    file.write_text("# ours\n" + file.read_text().rstrip("\n"))
    add_key(file, "b")
    assert file.read_text().startswith("# ours\na sha256:")
    assert [key.name for key in read_keys(file)] == ["a", "b"]
    assert remove_keys(file, "a") == 1
    assert [key.name for key in read_keys(file)] == ["b"]
    assert remove_keys(file, "nobody") == 0
    with pytest.raises(InputError, match="last keys"):
        remove_keys(file, "b")


def test_the_command(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The key alone on standard output, so that a script can take it."""
    assert main(["keys", "new", "app"]) == USAGE
    monkeypatch.setenv("ANIMATION_API_KEYS_FILE", str(file))
    capsys.readouterr()
    assert main(["keys", "new", "app"]) == 0
    key = capsys.readouterr().out.strip()
    assert KeyRing(file).holder_of(key) == "app"
    assert main(["keys", "new", "two words"]) == BAD_INPUT
    assert main(["keys", "new", "other"]) == 0
    capsys.readouterr()
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out == "app\nother\n"
    assert main(["keys", "remove", "app", "--file", str(file)]) == 0
    assert [entry.name for entry in read_keys(file)] == ["other"]
