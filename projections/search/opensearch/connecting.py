"""Speaks with an OpenSearch cluster; what goes wrong there is told as the store's own errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from domain.errors import IntegrityFailure, RefusedInput, StoreUnavailable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

BULK_DOCUMENTS, BULK_BYTES = 500, 8 * 2**20
"""What one request has at most; OpenSearch refuses more than 100 MB and is fastest with some."""
RETRIES = 5
TIMEOUT_SECONDS = 60
_CONFLICT = 409


@contextmanager
def connected(url: str | None) -> Iterator[OpenSearch]:
    """A client for the cluster at ``url``, ``https://user:password@host:9200``.

    Raises :class:`RefusedInput` when it is no such URL or the package ``opensearch-py`` is not installed. Nothing is
    asked yet; whoever asks does so within :func:`told`.
    """
    if not url:
        raise RefusedInput("there is no OpenSearch to ask; set PROVENARIUM_OPENSEARCH to its URL")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise RefusedInput("PROVENARIUM_OPENSEARCH must be a URL like https://user:password@localhost:9200")
    try:
        from opensearchpy import OpenSearch
    except ModuleNotFoundError:
        raise RefusedInput("OpenSearch needs one more package: pip install 'provenarium[opensearch]'") from None
    client = OpenSearch([url], timeout=TIMEOUT_SECONDS, max_retries=RETRIES, retry_on_timeout=True)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def told() -> Iterator[None]:
    """Turn errors of the client into :class:`StoreUnavailable`."""
    from opensearchpy import OpenSearchException, TransportError

    try:
        yield
    except TransportError as error:
        raise StoreUnavailable(f"OpenSearch did not do what it was asked: {error.status_code} {error.error}") from error
    except OpenSearchException as error:
        raise StoreUnavailable(f"OpenSearch: {' '.join(str(error).split())}") from error


def write(client: OpenSearch, index: str, documents: Iterable[tuple[str, int, Mapping[str, Any]]]) -> None:
    """Put documents (id, version, content) in an index; all of them are there when this returns.

    Of a document only the newest version stays, whoever comes last, so a follower that was thought dead does no harm.
    Raises :class:`IntegrityFailure` when one is refused, :class:`StoreUnavailable`.
    """
    from opensearchpy.helpers import streaming_bulk

    actions = (
        {
            "_op_type": "index",
            "_index": index,
            "_id": name,
            "routing": content["pid"],
            "_source": content,
            "version": version,
            "version_type": "external_gte",
        }
        for name, version, content in documents
    )
    outcomes = streaming_bulk(
        client,
        actions,
        chunk_size=BULK_DOCUMENTS,
        max_chunk_bytes=BULK_BYTES,
        raise_on_error=False,
        max_retries=RETRIES,
    )
    with told():
        for succeeded, outcome in outcomes:
            said = outcome["index"]
            if not succeeded and said["status"] != _CONFLICT:
                raise IntegrityFailure(f"OpenSearch refused {said['_id']}: {said['status']} {said.get('error')}")
