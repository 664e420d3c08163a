"""Settings: read from the environment once, and strictly."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from animation_server.errors import SettingsError
from animation_server.settings import Settings, settings_table_markdown


def test_an_empty_environment_gives_working_defaults() -> None:
    """Nothing need be configured: models in process, objects in a directory."""
    settings = Settings.from_environ({"PATH": "/bin"})
    assert settings == Settings()
    assert (settings.inference, settings.storage) == ("embedded", "local")
    assert settings.base_url == "http://127.0.0.1:8000"


def test_reads_every_type() -> None:
    """Text becomes numbers, choices, names, paths and secrets."""
    settings = Settings.from_environ(
        {
            "ANIMATION_PORT": "9000",
            "ANIMATION_TORCHSERVE_READ_TIMEOUT_S": "1.5",
            "ANIMATION_STORAGE": "s3",
            "ANIMATION_MOTIONS": "dab, zombie,",
            "ANIMATION_LOCAL_DIR": "/tmp/objects",
            "ANIMATION_KEY_SALT": "pepper",
            "ANIMATION_PUBLIC_URL": "https://example.org/",
        }
    )
    assert settings.port == 9000
    assert settings.torchserve_read_timeout_s == 1.5
    assert settings.storage == "s3"
    assert settings.motions == ("dab", "zombie")
    assert settings.local_dir == Path("/tmp/objects")
    assert settings.key_salt.get_secret_value() == "pepper"
    assert settings.base_url == "https://example.org"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "ANIMATION_PORT",
            "eighty",
            "ANIMATION_PORT: expected a whole number of at least 0 and at most 65535, came 'eighty'",
        ),
        ("ANIMATION_PORT", "80.5", "expected a whole number"),
        ("ANIMATION_PORT", "99999", "at most 65535, came '99999'"),
        ("ANIMATION_WORKER_METRICS_PORT", "99999", "at most 65535, came '99999'"),
        ("ANIMATION_S3_PRESIGNED_EXPIRY_S", "2592000", "at most 604800, came '2592000'"),
        ("ANIMATION_MAX_QUEUE", "0", "expected a whole number of at least 1, came '0'"),
        ("ANIMATION_REQUEST_DEADLINE_S", "nan", "expected a number of at least 0.1, came 'nan'"),
        ("ANIMATION_REQUEST_DEADLINE_S", "inf", "expected a number of at least 0.1, came 'inf'"),
        (
            "ANIMATION_INFERENCE",
            "torch-serve",
            "expected embedded or torchserve or torchserve-grpc, came 'torch-serve'",
        ),
        ("ANIMATION_MOTIONS", "", "expected at least one name"),
        ("ANIMATION_MOTIONS", " , ", "expected at least one name"),
        ("ANIMATION_MAX_IMAGE_BYTE", "5", "no such setting. Did you mean ANIMATION_MAX_IMAGE_BYTES"),
    ],
)
def test_refuses_what_it_cannot_use(variable: str, value: str, message: str) -> None:
    """Unknown names and unfit values stop the start with a message that says how to mend them."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({variable: value})
    assert message in str(caught.value)


def test_no_origins_may_be_said() -> None:
    """Empty means none, as the table says; so does leaving it out."""
    assert Settings.from_environ({"ANIMATION_CORS_ORIGINS": ""}) == Settings()


def test_refuses_defaults_beyond_their_limit() -> None:
    """A request that asks for nothing must not be refused for asking too much."""
    with pytest.raises(
        SettingsError, match="ANIMATION_SIZE: expected at most ANIMATION_MAX_SIZE, 300; came 400"
    ):
        Settings.from_environ({"ANIMATION_MAX_SIZE": "300"})


def test_names_all_problems_at_once() -> None:
    """An operator mends a configuration in one go."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"ANIMATION_PORT": "x", "ANIMATION_NONSENSE": "1"})
    assert "ANIMATION_PORT" in str(caught.value)
    assert "ANIMATION_NONSENSE" in str(caught.value)


def test_overlooks_kubernetes_service_links() -> None:
    """A Kubernetes service named animation-server must not stop the pods beside it."""
    links = {
        "ANIMATION_SERVER_SERVICE_HOST": "10.0.0.1",
        "ANIMATION_SERVER_SERVICE_PORT": "80",
        "ANIMATION_SERVER_SERVICE_PORT_HTTP": "80",
        "ANIMATION_SERVER_PORT": "tcp://10.0.0.1:80",
        "ANIMATION_SERVER_PORT_80_TCP": "tcp://10.0.0.1:80",
        "ANIMATION_SERVER_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert Settings.from_environ(links) == Settings()


def test_secrets_are_masked() -> None:
    """Printing the settings gives no secret away."""
    settings = Settings.from_environ({"ANIMATION_KEY_SALT": "pepper"})
    assert "pepper" not in repr(settings)


def test_table_has_a_row_for_every_setting() -> None:
    """A table can be made of the settings, a row each."""
    rows = settings_table_markdown().splitlines()[2:]
    names = [f"ANIMATION_{field.name.upper()}" for field in dataclasses.fields(Settings)]
    assert [row.split("`")[1] for row in rows] == names
    assert all(row.count(" | ") == 3 for row in rows)
