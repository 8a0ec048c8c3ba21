"""As much of OpenSearch's HTTP interface as the projection speaks, kept in memory.

It does what the documentation of OpenSearch says of: creating and deleting indices, aliases changed in one request,
strict mappings, bulk requests with external versions, realtime GET and multi-get with routing, searches that see only
what a refresh has shown, ``search_after``, and ``terms`` aggregations. Anything else is refused with 400.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Body = dict[str, Any]


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Index:
    """One index: documents by id with routing and version; ``visible`` is what the last refresh has shown."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.aliases = set(body.get("aliases", ()))
        self.documents: dict[str, tuple[str | None, int, Body]] = {}
        self.visible: list[Body] = []

    def put(self, name: str, routing: str | None, version: int | None, document: Body) -> int:
        """Store a document unless a newer version is there; returns the status."""
        unknown = document.keys() - self.body["mappings"]["properties"].keys()
        if unknown:
            raise Refused(400, f"strict_dynamic_mapping_exception: {unknown}")
        there = self.documents.get(name)
        if there is not None and version is not None and there[1] > version:
            return 409
        self.documents[name] = (routing, version or 0, document)
        return 200 if there else 201


class Cluster:
    """The state of the fake, and its answers. ``before`` is called with (method, path) ahead of each request."""

    def __init__(self) -> None:
        self.indices: dict[str, Index] = {}
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self.lock = Lock()

    def answer(self, method: str, path: str, body: bytes) -> Body:
        """What a request comes to; raises :class:`Refused`."""
        with self.lock:
            self.before(method, path)
            for pattern, wanted, act in _ROUTES:
                found = re.fullmatch(pattern, path)
                if found and method in wanted:
                    answer: Body = getattr(self, act)(body, *found.groups())
                    return answer
        raise Refused(400, f"the fake knows no {method} {path}")

    def behind(self, name: str) -> Index:
        """The index of this name or alias."""
        found = [index for own, index in self.indices.items() if name == own or name in index.aliases]
        if len(found) != 1:
            raise Refused(404, f"index_not_found_exception: {name}")
        return found[0]

    def create(self, body: bytes, name: str) -> Body:
        if name in self.indices:
            raise Refused(400, "resource_already_exists_exception")
        self.indices[name] = Index(json.loads(body))
        return {"acknowledged": True}

    def delete(self, _body: bytes, name: str) -> Body:
        if self.indices.pop(name, None) is None:
            raise Refused(404, "index_not_found_exception")
        return {"acknowledged": True}

    def alias(self, _body: bytes, name: str) -> Body:
        found = {own: {"aliases": {name: {}}} for own, index in self.indices.items() if name in index.aliases}
        if not found:
            raise Refused(404, f"alias [{name}] missing")
        return found

    def change_aliases(self, body: bytes) -> Body:
        changes = [
            (what, at["index"], at["alias"]) for each in json.loads(body)["actions"] for what, at in each.items()
        ]
        for what, index, alias in changes:
            if index not in self.indices or (what == "remove" and alias not in self.indices[index].aliases):
                raise Refused(404, "aliases_not_found_exception")
        for what, index, alias in changes:
            getattr(self.indices[index].aliases, {"add": "add", "remove": "remove"}[what])(alias)
        return {"acknowledged": True}

    def mapping(self, _body: bytes, name: str) -> Body:
        return {name: {"mappings": self.behind(name).body["mappings"]}}

    def bulk(self, body: bytes) -> Body:
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            (said,) = action.values()
            assert said["version_type"] == "external_gte"
            try:
                status = self.indices[said["_index"]].put(said["_id"], said["routing"], said["version"], document)
                error = {} if status < 300 else {"error": {"type": "version_conflict_engine_exception"}}
            except Refused as refused:
                status, error = refused.status, {"error": {"type": str(refused)}}
            items.append({"index": {"_id": said["_id"], "status": status, **error}})
        return {"errors": any(item["index"]["status"] >= 300 for item in items), "items": items}

    def multi_get(self, body: bytes, name: str) -> Body:
        documents, answers = self.behind(name).documents, []
        for asked in json.loads(body)["docs"]:
            routing, _, document = documents.get(asked["_id"], (None, 0, None))
            is_found = document is not None and routing == asked["routing"]
            answers.append({"_id": asked["_id"], "found": is_found, **({"_source": document} if is_found else {})})
        return {"docs": answers}

    def put(self, body: bytes, name: str, identifier: str) -> Body:
        self.behind(name).put(identifier, None, None, json.loads(body))
        return {"result": "updated"}

    def get(self, _body: bytes, name: str, identifier: str) -> Body:
        found = self.behind(name).documents.get(identifier)
        if found is None:
            raise Refused(404, "not found")
        return {"_id": identifier, "found": True, "_source": found[2]}

    def refresh(self, _body: bytes, name: str) -> Body:
        index = self.behind(name)
        index.visible = [document for _, _, document in index.documents.values()]
        return {"_shards": {"failed": 0}}

    def count(self, body: bytes, name: str) -> Body:
        return {"count": len(self.found(name, json.loads(body)["query"]))}

    def search(self, body: bytes, name: str) -> Body:
        asked = json.loads(body)
        found = self.found(name, asked["query"])
        answer: Body = {"aggregations": {term: _buckets(found, each) for term, each in asked.get("aggs", {}).items()}}
        if asked["size"]:
            assert asked["sort"] == [{"pid": "asc"}]
            (after,) = asked.get("search_after", [""])
            hits = sorted((each for each in found if each["pid"] > after), key=lambda each: str(each["pid"]))
            shown = [{name: each[name] for name in asked["_source"] if name in each} for each in hits]
            answer["hits"] = {"hits": [{"_source": each} for each in shown[: asked["size"]]]}
        return answer

    def found(self, name: str, query: Body) -> list[Body]:
        return [document for document in self.behind(name).visible if _matches(query, document)]


_INDEX, _ID = "([^/_][^/]*)", "([^/]+)"
_ROUTES: list[tuple[str, str, str]] = [
    (f"/{_INDEX}", "PUT", "create"),
    (f"/{_INDEX}", "DELETE", "delete"),
    (f"/_alias/{_ID}", "GET", "alias"),
    ("/_aliases", "POST", "change_aliases"),
    (f"/{_INDEX}/_mapping", "GET", "mapping"),
    ("/_bulk", "POST PUT", "bulk"),
    (f"/{_INDEX}/_mget", "POST GET", "multi_get"),
    (f"/{_INDEX}/_doc/{_ID}", "PUT", "put"),
    (f"/{_INDEX}/_doc/{_ID}", "GET", "get"),
    (f"/{_INDEX}/_refresh", "POST", "refresh"),
    (f"/{_INDEX}/_count", "POST GET", "count"),
    (f"/{_INDEX}/_search", "POST GET", "search"),
]


def _matches(query: Body, document: Body) -> bool:
    ((kind, said),) = query.items()
    match kind:
        case "bool":
            assert said.keys() <= {"filter", "must_not", "should", "minimum_should_match"}
            wanted = said.get("should", [])
            return (
                all(_matches(each, document) for each in said.get("filter", ()))
                and not any(_matches(each, document) for each in said.get("must_not", ()))
                and (not wanted or any(_matches(each, document) for each in wanted))
            )
        case "exists":
            return document.get(said["field"]) is not None
        case "range":
            ((field, bounds),) = said.items()
            return field in document and bool(document[field] <= bounds["lte"])
        case "term" | "terms":
            ((field, value),) = said.items()
            values = document.get(field)
            told = values if isinstance(values, list) else [values]
            return any(each in told for each in (value if kind == "terms" else [value]))
        case "match_phrase":
            words, phrase = _words(document.get("text", "")), _words(said["text"]["query"])
            return any(words[at : at + len(phrase)] == phrase for at in range(len(words))) and bool(phrase)
        case "match_none":
            return False
    raise Refused(400, f"parsing_exception: {kind}")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _buckets(found: list[Body], asked: Body) -> Body:
    terms = asked["terms"]
    assert terms["order"] == [{"_count": "desc"}, {"_key": "asc"}]
    counted = Counter(value for each in found for value in each[terms["field"]])
    chosen = [(key, count) for key, count in counted.items() if re.fullmatch(terms["include"], key)]
    chosen.sort(key=lambda each: (-each[1], each[0]))
    return {"buckets": [{"key": key, "doc_count": count} for key, count in chosen[: terms["size"]]]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    cluster: Cluster

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, answer = 200, self.cluster.answer(self.command, self.path.partition("?")[0], body)
        except Refused as refused:
            status, answer = refused.status, {"error": {"type": str(refused)}, "status": refused.status}
        except ConnectionError:
            self.close_connection = True
            return
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the standard library's names

    def log_message(self, *_arguments: Any) -> None:
        """Nothing: tests have their own output."""


@contextmanager
def cluster() -> Iterator[tuple[Cluster, str]]:
    """A running fake and its URL."""
    fake = Cluster()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": fake}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield fake, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
