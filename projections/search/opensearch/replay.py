"""Keeps the index up to date, and builds it anew beside the live one: aliases say which is which.

The alias ``provenarium-LEDGER-search`` stands for the live index; with ``-next`` it is the one that is being built,
with ``-former`` the one that was switched away from. One request changes all of them in one moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from domain.errors import Conflict, IntegrityFailure, NotFound
from projections.following import Progress, follow_with
from projections.projection import SQL
from projections.replay.rebuild import only_one
from projections.search.opensearch.connecting import told
from projections.search.opensearch.documents import POSITION_ID, VERSION, index_body
from projections.search.opensearch.index import SearchIndex, position_name
from store.ledger import Ledger
from store.statements import select

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

NEXT, FORMER = "-next", "-former"


class Indices:
    """The indices of one ledger in one cluster; ``shards`` and ``replicas`` are for those that are made."""

    def __init__(self, ledger: Ledger, client: OpenSearch, shards: int = 1, replicas: int = 1) -> None:
        self._ledger, self._client = ledger, client
        self._shards, self._replicas = shards, replicas
        self.alias = f"provenarium-{ledger.settings.ledger}-search"

    def behind(self, alias: str | None = None) -> str | None:
        """The index that an alias (default: the live one) stands for."""
        from opensearchpy import NotFoundError

        with told():
            try:
                found = self._client.indices.get_alias(name=alias or self.alias)
            except NotFoundError:
                return None
        if len(found) != 1:
            raise IntegrityFailure(
                f"the alias {alias or self.alias} stands for {', '.join(sorted(found))}, not for one"
            )
        return str(next(iter(found)))

    def follow(self, progress: Progress = lambda _done, _total: None) -> int:
        """Bring the live index up to the end of the log, and show it to searches; returns the position.

        The first time there is none yet, so it is made. Raises :class:`IntegrityFailure` for an index of a newer
        program; one of an older is built anew.
        """
        index = self.behind()
        if index is None:
            index = self._make(self.alias)
        version = self._version(index)
        if version > VERSION:
            raise IntegrityFailure(
                f"the index {index} is of version {version}, newer than this program, which knows version {VERSION}"
            )
        if version < VERSION:
            return self.rebuild(progress)
        return self._caught_up(index, progress)

    def rebuild(self, progress: Progress = lambda _done, _total: None, *, anew: bool = False) -> int:
        """Build an index from the whole log beside the live one, and put it in its place; returns the position.

        Goes on where an interrupted one stopped, unless ``anew``. Searches see the old index or the new, whole one.
        Raises :class:`Conflict` when another process is rebuilding.
        """
        with only_one(self._ledger):
            index = self.behind(self.alias + NEXT)
            if index is not None and (anew or self._version(index) != VERSION):
                self._drop(index)
                index = None
            if index is None:
                index = self._make(self.alias + NEXT)
            self._caught_up(index, progress)
            return self._switch(index, self.alias + NEXT)

    def switch_back(self) -> int:
        """Make the former index the live one again, brought up to date; returns the position.

        Raises :class:`NotFound` when there is none, :class:`Conflict` for one of another version.
        """
        with only_one(self._ledger):
            index = self.behind(self.alias + FORMER)
            if index is None:
                raise NotFound("there is no former index to switch back to")
            if self._version(index) != VERSION:
                raise Conflict("the former index is of another version; switch back with the program that made it")
            return self._switch(index, self.alias + FORMER)

    def drop(self, which: str) -> bool:
        """Delete the index being built (:data:`NEXT`) or the former one; returns whether there was one."""
        with only_one(self._ledger):
            index = self.behind(self.alias + which)
            if index is not None:
                self._drop(index)
            return index is not None

    def reached(self) -> int:
        """The position of the log up to which the live index has everything."""
        index = self.behind()
        return 0 if index is None else self._reached(index)

    def _reached(self, index: str) -> int:
        from opensearchpy import NotFoundError

        with told():
            try:
                return int(self._client.get(index=index, id=POSITION_ID)["_source"]["position"])
            except NotFoundError:
                return 0

    def _version(self, index: str) -> int:
        with told():
            answer = self._client.indices.get_mapping(index=index)
        return int(answer[index]["mappings"].get("_meta", {}).get("version", 0))

    def _make(self, alias: str) -> str:
        index = f"{self.alias}-{uuid4().hex[:12]}"
        with told():
            body = index_body(self._shards, self._replicas) | {"aliases": {alias: {}}}
            self._client.indices.create(index=index, body=body)
        return index

    def _drop(self, index: str) -> None:
        with told():
            self._client.indices.delete(index=index)
        with self._ledger.connection() as connection:
            connection.execute(SQL["forget_position"], (position_name(index),))

    def _caught_up(self, index: str, progress: Progress = lambda _done, _total: None) -> int:
        """An index brought back from an older snapshot has less than the database believes, and gets it again."""
        name = position_name(index)
        with self._ledger.connection() as connection, connection.transaction():
            connection.execute(SQL["ensure_position"], (name, VERSION))
            select(connection, SQL["lock_positions"], ([name],))  # whoever follows has told the index before it commits
            connection.execute(SQL["lower_position"], (self._reached(index), name))
        projection = SearchIndex(self._ledger.mapper, self._client, index)
        reached = follow_with(self._ledger, [projection], progress=progress)
        with told():
            self._client.indices.refresh(index=index)
        return reached

    def _switch(self, index: str, alias: str) -> int:
        """While nobody takes events into the live index, so that the other one is not behind it when it takes over."""
        live, former = self.behind(), self.behind(self.alias + FORMER)
        names = [position_name(live)] if live is not None else []
        with self._ledger.connection() as connection, connection.transaction():
            select(connection, SQL["lock_positions"], (names,))
            reached = self._caught_up(index)
            actions: list[dict[str, Any]] = [
                _action("remove", index, alias),
                _action("add", index, self.alias),
            ]
            if live is not None:
                actions += [_action("remove", live, self.alias), _action("add", live, self.alias + FORMER)]
            if former not in (None, index):
                actions.append(_action("remove", former, self.alias + FORMER))
            with told():
                self._client.indices.update_aliases(body={"actions": actions})
        if former not in (None, index):
            self._drop(former)
        return reached


def _action(what: str, index: str | None, alias: str) -> dict[str, Any]:
    return {what: {"index": index, "alias": alias}}
