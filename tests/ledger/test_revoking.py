"""Keys revoked while they sign, in short; `make revoking` plays 10,000 rounds."""

from __future__ import annotations

from pathlib import Path

from tests.postgres_server import PostgresServer
from tests.revoking import PER_ROUND, play

ROUNDS = 20


def test_a_revocation_and_what_the_key_signs_at_once(tmp_path: Path) -> None:
    """Every statement is recorded before the revocation's index or refused after it; the export verifies."""
    told = play(tmp_path, ROUNDS)
    assert told.recorded + told.refused == ROUNDS * PER_ROUND
    assert told.mixed > 0


def test_the_same_over_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    """The write lock of the server orders them alike."""
    told = play(tmp_path, ROUNDS // 2, postgres)
    assert told.recorded + told.refused == ROUNDS // 2 * PER_ROUND
