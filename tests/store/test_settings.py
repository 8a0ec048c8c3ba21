"""The settings from the environment: what cannot be used is refused, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import RefusedInput
from store.ledger import Ledger
from store.settings import Settings


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://root:p@s3cr3t@127.0.0.1:5432/x",
        "postgres://root:p@s3cr3t@127.0.0.1",
        "postgresql://root:p@s3cr3t@one.example,two.example:5433/x",
        "postgresql://root:pw@one.example,p@s3cr3t:5432/x",
        "postgresql://root:p/s3cr3t@127.0.0.1:5432/x",
        "postgresql://root:s3cr3t/p@127.0.0.1:5432/x",
        "postgresql://root:s3cr3t/p",
        "postgresql://root:p%s3cr3t@127.0.0.1/x",
        "postgresql://root:@s3cr3t@/x?host=/run",
        "s3cr3t",
    ],
)
def test_a_password_that_is_not_escaped_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(RefusedInput, match="DATABASE_URL") as caught:
        Settings.from_environment({"DATABASE_URL": url})
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_refusal_says_how_an_at_sign_is_written() -> None:
    with pytest.raises(RefusedInput, match="@ is written %40"):
        Settings.from_environment({"DATABASE_URL": "postgresql://root:p@s3cr3t@127.0.0.1:5432/x"})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://root:p%40s3cr3t%2Fx@127.0.0.1:5432/x",
        "postgresql://root@one.example:5432,two.example/x?connect_timeout=2",
        "postgresql://root:a:b?c#d@[::1]:5432/x",
        "postgresql:///x?host=/run/postgresql&user=a@b",
        "postgres://",
        "postgresql://%2Frun%2Fpostgresql/x",
        "host=@abstract user=a@b password=p@ss dbname=x",
    ],
)
def test_what_libpq_understands_is_taken(url: str) -> None:
    assert Settings.from_environment({"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_it_is_the_embedded_server_that_is_started(
    url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Started(Exception):
        """Instead of starting it."""

    def started(home: Path) -> None:
        assert home == tmp_path
        raise Started

    monkeypatch.setattr("store.ledger.EmbeddedServer", started)
    with pytest.raises(Started):
        Ledger.open(Settings(url, tmp_path))
