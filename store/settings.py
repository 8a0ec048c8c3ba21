"""Where the store keeps its data, from the environment.

=======================  ==========================================================================
``DATABASE_URL``         a PostgreSQL 15 or newer to use; without it a private server is started
``PROVENARIUM_HOME``     folder of the private server; default: ``provenarium`` in the user's data
                         folder, and ``/var/lib/provenarium`` for root
``PROVENARIUM_LEDGER``   PostgreSQL schema of the ledger, default ``provenarium``
``PROVENARIUM_PREFIX``   prefix of new PIDs, default ``TEST``: no PID is registered anywhere
``PROVENARIUM_AGENT``    ORCID or IRI of the person on whose request commands act
``PROVENARIUM_KEYS``     folder of the keys that sign checkpoints; default: ``provenarium/keys`` in the
                         user's configuration folder
``PROVENARIUM_KEY_PASSPHRASE``
                         passphrase of the private key, if it has one
``PROVENARIUM_OPENSEARCH``
                         URL of an OpenSearch cluster that keeps an index for search as well
=======================  ==========================================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
import psycopg
from psycopg.conninfo import conninfo_to_dict

from domain.errors import RefusedInput
from domain.pid import mint

_LEDGER = re.compile(r"[a-z_][a-z0-9_]{0,48}")
_SCHEMES = ("postgresql://", "postgres://")  # as libpq wants them
_PORT = re.compile(r"[0-9]{0,5}")


@dataclass(frozen=True)
class Settings:
    """The settings of one process; see the module docstring."""

    database_url: str | None
    home: Path
    ledger: str = "provenarium"
    prefix: str = "TEST"
    agent: str | None = None
    keys: Path = field(default_factory=lambda: platformdirs.user_config_path("provenarium", appauthor=False) / "keys")
    key_passphrase: str | None = field(default=None, repr=False)
    opensearch: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment; raises :class:`RefusedInput` when a value cannot be used."""
        ledger = environment.get("PROVENARIUM_LEDGER") or "provenarium"
        if not _LEDGER.fullmatch(ledger) or ledger.startswith("pg_") or ledger in ("public", "information_schema"):
            raise RefusedInput(
                f"PROVENARIUM_LEDGER {ledger!r} must be lower-case letters, digits and '_', at most 49 of them, "
                "and no schema of PostgreSQL's own"
            )
        database_url = environment.get("DATABASE_URL") or None
        if database_url is not None:
            _check_conninfo(database_url)
        prefix = environment.get("PROVENARIUM_PREFIX") or "TEST"
        mint(prefix)
        home = environment.get("PROVENARIUM_HOME")
        keys = environment.get("PROVENARIUM_KEYS")
        return cls(
            database_url=database_url,
            home=Path(home).expanduser().absolute() if home else default_home(),
            ledger=ledger,
            prefix=prefix,
            agent=environment.get("PROVENARIUM_AGENT") or None,
            key_passphrase=environment.get("PROVENARIUM_KEY_PASSPHRASE") or None,
            opensearch=environment.get("PROVENARIUM_OPENSEARCH") or None,
            **({"keys": Path(keys).expanduser().absolute()} if keys else {}),
        )


def _check_conninfo(database_url: str) -> None:
    """Refuse what libpq would take apart wrongly, and then show a piece of the password in its message."""
    try:
        parts = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:  # its text would show the password
        raise RefusedInput("DATABASE_URL is no connection string; expected postgresql://user@host/database") from None
    if not database_url.startswith(_SCHEMES):
        return
    place, _, _ = database_url.partition("://")[2].partition("?")
    server, _, database = place.partition("/")
    ports = str(parts.get("port") or "").split(",")
    if (
        "@" in str(parts.get("host"))
        or server.count("@") > 1
        or "@" in database
        or not all(map(_PORT.fullmatch, ports))
    ):
        raise RefusedInput(
            "DATABASE_URL names no host and port that can be told from its password; "
            "in a user name or password, @ is written %40, / is %2F, : is %3A, ? is %3F and % is %25"
        )


def default_home() -> Path:
    """The data folder used when ``PROVENARIUM_HOME`` is not set."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/provenarium")  # PostgreSQL runs as another account, which cannot enter root's home
    return Path(platformdirs.user_data_dir("provenarium", appauthor=False))
