"""Archives fetched from object storage: a real S3 server, whole files only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from boto3.exceptions import RetriesExceededError

from tests.parts.swift import S3Server, swift_server
from torchserve_model import fetch

CONTENT = b"PK not really an archive" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with swift_server(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("models")
        with closing(boto3.client("s3", **server.access())) as client:
            client.put_object(Bucket="models", Key="v2/pose.mar", Body=CONTENT)
        yield server


@pytest.fixture(autouse=True)
def _credentials(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", server.region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)


def test_an_archive_comes_whole_and_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lies under its own name; asked again, nothing is fetched."""
    command = [f"s3://models/v2/pose.mar#sha256={SHA256}", "-o", str(tmp_path / "models")]
    assert fetch.main(command) == 0
    assert (tmp_path / "models" / "pose.mar").read_bytes() == CONTENT
    assert fetch.main(command) == 0
    assert capsys.readouterr().out.split()[1::2] == ["fetched", "is"]


def test_a_damaged_archive_is_fetched_anew(tmp_path: Path) -> None:
    """A file of that name with other content is replaced."""
    (tmp_path / "pose.mar").write_bytes(CONTENT[:-1])
    assert fetch.main([f"s3://models/v2/pose.mar#sha256={SHA256}", "-o", str(tmp_path)]) == 0
    assert (tmp_path / "pose.mar").read_bytes() == CONTENT


def test_what_has_another_checksum_never_appears(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3, both checksums told, nothing left behind."""
    wrong = "0" * 64
    assert fetch.main([f"s3://models/v2/pose.mar#sha256={wrong}", "-o", str(tmp_path)]) == 3
    assert not list(tmp_path.iterdir())
    message = capsys.readouterr().err
    assert wrong in message
    assert SHA256 in message


@pytest.mark.parametrize("name", ["v2/none.mar", "v3/pose.mar"])
def test_what_is_not_there_is_a_failure_of_storage(name: str, tmp_path: Path) -> None:
    """Status 4, nothing left behind."""
    assert fetch.main([f"s3://models/{name}#sha256={SHA256}", "-o", str(tmp_path)]) == 4
    assert not list(tmp_path.iterdir())


def test_a_wrong_secret_is_a_failure_of_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 4 as well."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    assert fetch.main([f"s3://models/v2/pose.mar#sha256={SHA256}", "-o", str(tmp_path)]) == 4


def test_a_download_that_breaks_off_is_a_failure_of_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 4 when boto3 has given up trying again, and nothing left behind."""
    monkeypatch.setattr("boto3.s3.transfer.S3Transfer.download_file", break_off)
    assert fetch.main([f"s3://models/v2/pose.mar#sha256={SHA256}", "-o", str(tmp_path)]) == 4
    assert "Max Retries Exceeded" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def break_off(*_: object, **__: object) -> None:
    raise RetriesExceededError(ConnectionError("broken off"))


def test_an_endpoint_that_is_no_address_is_a_failure_of_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 4, and the message has the endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "storage.internal:9000")
    assert fetch.main([f"s3://models/v2/pose.mar#sha256={SHA256}", "-o", str(tmp_path)]) == 4
    assert "storage.internal:9000" in capsys.readouterr().err


@pytest.mark.parametrize(
    "source",
    [
        "s3://models/pose.mar",
        "s3://models/pose.mar#sha256=12",
        "http://models/pose.mar#sha256=" + SHA256,
        "s3://models/..#sha256=" + SHA256,
        "s3://models/v2/#sha256=" + SHA256,
    ],
)
def test_a_source_without_archive_or_checksum_is_refused(source: str, tmp_path: Path) -> None:
    """Usage: nothing is fetched that could not be checked, or would lie elsewhere."""
    with pytest.raises(SystemExit) as exit_:
        fetch.main([source, "-o", str(tmp_path)])
    assert exit_.value.code == 2
