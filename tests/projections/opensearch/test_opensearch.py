"""The index in OpenSearch answers as the documents say, through retries, interruptions, rebuilds and switches."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from threading import Thread

import pytest
from opensearchpy import OpenSearch

from audit.verify import verify
from domain.digital_object import DigitalObject
from domain.errors import Conflict, IntegrityFailure, NotFound, ProjectionFailed, RefusedInput, StoreUnavailable
from projections import following
from projections.engine import catch_up
from projections.search import query as in_postgresql
from projections.search.opensearch import connecting, documents
from projections.search.opensearch.connecting import connected
from projections.search.opensearch.query import counts, page, total
from projections.search.opensearch.replay import FORMER, NEXT, Indices
from projections.search.opensearch.words import query_of
from projections.search.question import Search
from store.ledger import Ledger
from tests.projections import search_oracle
from tests.projections.opensearch.fake_cluster import Cluster, Refused, cluster
from tests.projections.search_oracle import SEARCHES, by_anna, document, lives
from tests.store.ledger_building import pid


@pytest.fixture
def fake() -> Iterator[tuple[Cluster, str]]:
    with cluster() as running:
        yield running


@pytest.fixture
def client(fake: tuple[Cluster, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenSearch]:
    monkeypatch.setattr(connecting, "RETRIES", 0)
    with connected(fake[1]) as made:
        yield made


def require_all(client: OpenSearch, ledger: Ledger, after: list[dict[str, DigitalObject]]) -> Counter[int]:
    """As the oracle wants it, of the live index."""
    asks = (partial(ask, client, Indices(ledger, client).alias) for ask in (page, total, counts))
    return search_oracle.require_all(after, ledger.position(), *asks)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_it_finds_what_a_look_at_every_document_finds(
    ledger: Ledger, client: OpenSearch, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BATCH", batch)
    after = lives(ledger, batch)
    indices = Indices(ledger, client)
    assert indices.follow() == len(after) - 1 == indices.reached()
    found = require_all(client, ledger, after)
    assert all(found[number] for number in range(len(SEARCHES) - 1)), "a search that finds nothing tells nothing"
    for search in SEARCHES:
        catch_up(ledger, ["search"])
        assert page(client, indices.alias, search) == in_postgresql.page(ledger, search)
    assert verify(ledger).ok


@pytest.mark.parametrize("seed", range(8))
def test_interrupted_anywhere_it_comes_to_the_same(
    ledger: Ledger,
    fake: tuple[Cluster, str],
    client: OpenSearch,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections break before requests are carried out; batches are of another size each time."""
    rand = random.Random(seed)
    after = lives(ledger, seed, steps=40)
    indices = Indices(ledger, client)
    failures = 0

    def breaking(_method: str, _path: str) -> None:
        if rand.random() < 0.15:
            raise ConnectionResetError

    fake[0].before = breaking
    for _ in range(500):
        monkeypatch.setattr(following, "BATCH", rand.randrange(1, 12))
        try:
            indices.follow()
            break
        except StoreUnavailable:
            failures += 1
    fake[0].before = lambda _method, _path: None
    indices.follow()
    assert failures
    require_all(client, ledger, after)


@pytest.mark.parametrize("kept", range(4))
def test_a_batch_of_which_only_a_part_was_written_is_done_again(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bulk request of which only the first documents were written, and then nothing was heard of the cluster."""
    after = lives(ledger, 11)
    indices = Indices(ledger, client)
    rand, real = random.Random(kept), Cluster.bulk
    broken = 0

    def partly(self: Cluster, body: bytes) -> dict[str, object]:
        nonlocal broken
        lines = body.splitlines(keepends=True)
        if rand.random() < 0.4:
            broken += 1
            real(self, b"".join(lines[: 2 * kept]))
            raise ConnectionResetError
        return real(self, body)

    monkeypatch.setattr(following, "BATCH", 9)
    monkeypatch.setattr(Cluster, "bulk", partly)
    for _ in range(200):
        try:
            indices.follow()
            break
        except StoreUnavailable:
            continue
    assert broken > 2
    require_all(client, ledger, after)


def test_an_index_brought_back_from_a_snapshot_gets_what_it_lacks(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BATCH", 10)
    rand, indices = random.Random(4), Indices(ledger, client)
    state = ledger.record(None, DigitalObject.create(pid(1), document(rand), by_anna()))
    indices.follow()
    (index,) = fake[0].indices.values()
    snapshot = dict(index.documents)
    for sex in ("worker", "queen"):
        state = ledger.record(state, state.update({**state.document, "dwc:sex": sex}, by_anna()))
    indices.follow()
    index.documents = snapshot
    assert indices.reached() == 1
    assert indices.follow() == 3
    queens = Search(filters={"dwc:sex": ["queen"]})
    assert [total(client, indices.alias, replace(queens, position=at)) for at in (2, 3, None)] == [0, 1, 1]


def test_a_rebuild_is_seen_whole_or_not_at_all_and_can_be_taken_back(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = lives(ledger, 1)
    indices = Indices(ledger, client)
    indices.follow()
    first = indices.behind()
    monkeypatch.setattr(following, "BATCH", 10)
    requests = 0

    def stopping(_method: str, _path: str) -> None:
        nonlocal requests
        requests += 1
        if requests == 30:
            raise ConnectionResetError

    fake[0].before = stopping
    with pytest.raises(StoreUnavailable):
        indices.rebuild()
    fake[0].before = lambda _method, _path: None
    unfinished = indices.behind(indices.alias + NEXT)
    assert unfinished is not None
    assert indices.behind() == first
    require_all(client, ledger, after[:3])
    told = list[int]()
    assert indices.rebuild(lambda done, _end: told.append(done)) == len(after) - 1
    assert told[0] > 10, "it went on where it stopped"
    assert (indices.behind(), indices.behind(indices.alias + FORMER)) == (unfinished, first)
    assert indices.behind(indices.alias + NEXT) is None
    require_all(client, ledger, after)

    indices.rebuild(anew=True)
    assert first not in fake[0].indices, "only one former index is kept"
    third = indices.behind()
    assert indices.switch_back() == len(after) - 1
    assert (indices.behind(), indices.behind(indices.alias + FORMER)) == (unfinished, third)
    require_all(client, ledger, after)
    assert indices.drop(FORMER)
    assert not indices.drop(FORMER)
    assert list(fake[0].indices) == [unfinished]
    with pytest.raises(NotFound, match="no former index"):
        indices.switch_back()
    with ledger.connection() as connection:
        names = connection.execute("SELECT name FROM projections WHERE name LIKE 'opensearch:%'").fetchall()
    assert [row["name"] for row in names] == [f"opensearch:{unfinished}"]


def test_an_index_of_another_version_is_built_anew_or_left_alone(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = lives(ledger, 2, steps=10)
    indices = Indices(ledger, client)
    indices.follow()
    index = indices.behind()
    assert index is not None
    fake[0].indices[index].body["mappings"]["_meta"]["version"] = 0
    indices.follow()
    assert indices.behind() != index
    require_all(client, ledger, after)
    with pytest.raises(Conflict, match="of another version"):
        indices.switch_back()
    live = indices.behind()
    assert live is not None
    fake[0].indices[live].body["mappings"]["_meta"]["version"] = documents.VERSION + 1
    with pytest.raises(IntegrityFailure, match="newer than this program"):
        indices.follow()


def test_what_the_cluster_refuses_is_told_and_what_it_postpones_is_tried_again(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(ledger, 3, steps=5)
    indices = Indices(ledger, client)

    def busy(_method: str, path: str) -> None:
        if path == "/_bulk":
            raise Refused(429, "rejected_execution_exception")

    fake[0].before = busy
    with pytest.raises(StoreUnavailable, match="429"):
        indices.follow()
    assert indices.reached() == 0
    fake[0].before = lambda _method, _path: None
    (index,) = fake[0].indices.values()
    index.body["mappings"]["properties"].pop("identifier")
    with pytest.raises(ProjectionFailed, match=r"stops before position 1 .*strict_dynamic_mapping_exception"):
        indices.follow()
    assert indices.reached() == 0


def test_a_follower_thought_dead_overwrites_nothing(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch
) -> None:
    rand = random.Random(6)
    state = ledger.record(None, DigitalObject.create(pid(1), document(rand), by_anna()))
    indices = Indices(ledger, client)
    indices.follow()
    (name,) = fake[0].indices
    _, version, old = fake[0].indices[name].documents[pid(1)]
    ledger.record(state, state.update({**state.document, "dwc:sex": "queen"}, by_anna()))
    indices.follow()
    connecting.write(client, name, iter([(pid(1), version, old)]))
    assert fake[0].indices[name].documents[pid(1)][2]["from_position"] == 2


def test_several_may_follow_at_once(
    ledger: Ledger, fake: tuple[Cluster, str], client: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BATCH", 3)
    after = lives(ledger, 9)
    Indices(ledger, client).follow()
    (index,) = fake[0].indices
    fake[0].indices[index].documents.clear()  # as if the cluster had been set up anew with the old names
    told = list[int]()

    def follow() -> None:
        with connected(fake[1]) as own:
            Indices(ledger, own).follow(lambda done, _end: told.append(done))

    threads = [Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) < 2 * len(after), "nobody sets back what another has done"
    require_all(client, ledger, after)


@pytest.mark.parametrize("url", [None, "", "localhost:9200", "ftp://localhost", "https://"])
def test_without_a_url_there_is_nothing_to_ask(url: str | None) -> None:
    with pytest.raises(RefusedInput, match="PROVENARIUM_OPENSEARCH"), connected(url):
        pass


def test_a_cluster_that_does_not_answer_is_told_without_its_password(ledger: Ledger) -> None:
    url = "http://admin:secret@127.0.0.1:1"
    with pytest.raises(StoreUnavailable) as caught, connected(url) as client:
        Indices(ledger, client).follow()
    assert "secret" not in str(caught.value)


def test_nothing_of_the_syntax_of_lucene_is_understood() -> None:
    phrase = lambda text: {"match_phrase": {"text": {"query": text}}}  # noqa: E731
    assert query_of("name:* AND (x") == {"bool": {"filter": [phrase("name:*"), phrase("and"), phrase("(x")]}}
    assert query_of('-"Red kite" nest') == {
        "bool": {"filter": [{"bool": {"must_not": [phrase("red kite")]}}, phrase("nest")]}
    }
    assert query_of('a or "b') == {
        "bool": {
            "should": [{"bool": {"filter": [phrase("a")]}}, {"bool": {"filter": [phrase("b")]}}],
            "minimum_should_match": 1,
        }
    }
    assert query_of('"" - ?') is None
