"""Darwin Core Archives made on the spot, for the tests of their reader."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from sources.darwin_core.archive import DarwinCoreArchive, Limits
from sources.records import ArchiveRecord, Malformed

DWC = "http://rs.tdwg.org/dwc/terms/"
OCCURRENCE = DWC + "Occurrence"
MULTIMEDIA = "http://rs.gbif.org/terms/1.0/Multimedia"
IDENTIFICATION = DWC + "Identification"

Content = str | bytes
Field = str | tuple[int | None, str, str]


def shared_data() -> Path:
    """The folder of real data beside the checkout; skips the test where it is absent."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("PROVENARIUM_SHARED_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set PROVENARIUM_SHARED_DATA to where it is")
    return folder


def table(
    tag: str,
    location: str | Iterable[str],
    fields: Iterable[Field],
    row_type: str = OCCURRENCE,
    identifier: int | None = 0,
    **attributes: str,
) -> str:
    """A ``<core>`` or ``<extension>``; a field is a bare dwc: name (column = its position) or (index, IRI, default)."""
    attributes = {"fieldsTerminatedBy": ",", "ignoreHeaderLines": "0"} | attributes
    locations = [location] if isinstance(location, str) else location
    lines = ["<files>", *(f"<location>{name}</location>" for name in locations), "</files>"]
    if identifier is not None:
        lines.append(f'<{"id" if tag == "core" else "coreid"} index="{identifier}"/>')
    for position, field in enumerate(fields):
        index, term, default = (position, DWC + field, "") if isinstance(field, str) else field
        column = "" if index is None else f' index="{index}"'
        lines.append(
            f"<field{column} term={quoteattr(term)}" + (f" default={quoteattr(default)}/>" if default else "/>")
        )
    stated = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f'<{tag} rowType="{row_type}"{stated}>{"".join(lines)}</{tag}>'


def core(*fields: Field, location: str | Iterable[str] = "occurrence.csv", **attributes: str) -> str:
    """The ``<core>`` of most tests: ``occurrence.csv`` with the id in its first column."""
    return table("core", location, fields, OCCURRENCE, 0, **attributes)


def meta(*tables: str, metadata: str = "") -> str:
    """A whole ``meta.xml``."""
    stated = f' metadata="{metadata}"' if metadata else ""
    return f'<archive xmlns="http://rs.tdwg.org/dwc/text/"{stated}>{"".join(tables)}</archive>'


def zipped(path: Path, members: Mapping[str, Content]) -> Path:
    """A zip file of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def archive_of(folder: Path, description: str, members: Mapping[str, Content] | Content) -> Path:
    """A zip file of ``meta.xml`` and data files, or of one ``occurrence.csv``."""
    files = members if isinstance(members, Mapping) else {"occurrence.csv": members}
    return zipped(folder / "archive.zip", {"meta.xml": description, **files})


def read(path: Path, limits: Limits = Limits()) -> list[ArchiveRecord | Malformed]:  # noqa: B008 - frozen
    """Everything an archive yields."""
    with DarwinCoreArchive.open(path, limits) as archive:
        return list(archive)


def records(path: Path) -> list[ArchiveRecord]:
    """What an archive yields when all of it is sound."""
    found = read(path)
    assert [row for row in found if isinstance(row, Malformed)] == []
    return [row for row in found if isinstance(row, ArchiveRecord)]


def malformed(path: Path, limits: Limits = Limits()) -> list[Malformed]:  # noqa: B008 - frozen
    """The malformed rows of an archive."""
    return [row for row in read(path, limits) if isinstance(row, Malformed)]
