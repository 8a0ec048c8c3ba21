"""Puts the pieces of events together in the order of the ledger, for projections of the events alone."""

from __future__ import annotations

from collections.abc import Callable

from domain.errors import IntegrityFailure
from projections.following import EVENT_PROJECTIONS, positions
from projections.projection import SQL as READ_MODELS
from projections.replay.status import SQL
from store.ledger import Ledger
from store.statements import index_order, select

PAGE = 50_000


def assemble(beside: Ledger, name: str, horizon: int, tick: Callable[[], None]) -> None:
    """Bring the new tables of an event projection up to the horizon; one that was killed goes on where it stopped.

    ``beside`` is the ledger with the new tables in front. Raises :class:`IntegrityFailure` when a piece is missing.
    """
    at = positions(beside)[name][1]
    while at < horizon:
        upto = min(at + PAGE, horizon)
        projection = EVENT_PROJECTIONS[name](beside.mapper)
        with beside.connection() as connection, index_order(connection):
            pieces = select(connection, SQL["next_pieces"], (name, at, upto))
            if [position for position, _ in pieces] != list(range(at + 1, upto + 1)):
                raise IntegrityFailure(
                    f"the log does not have every event from position {at + 1} to {upto} exactly once; "
                    "'provenarium verify' tells which. Nothing was switched: --cancel drops the new tables"
                )
            projection.begin(connection, [])
            for _, piece in pieces:
                projection.add_piece(bytes(piece))
            projection.flush(connection)
            connection.execute(READ_MODELS["set_positions"], (upto, [name]))
        at = upto
        tick()
