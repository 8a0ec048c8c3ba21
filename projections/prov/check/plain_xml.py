"""PROV-XML, read so that what it says is neither changed nor left out, and what is wrong has a place in the file."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from lxml import etree
from prov.model import PROV, ProvDocument
from prov.serializers.provxml import ProvXMLSerializer

from projections.prov.check.plain_json import is_date_time
from projections.prov.check.unreadable import UNREADABLE

_ATTRIBUTES = ("label", "location", "type", "role", "value", "other")
"""Elements of PROV-XML inside a record; all others are records."""

_NAMING = {f"{{{PROV.uri}}}id", f"{{{PROV.uri}}}ref"}
_TIMES = {f"{{{PROV.uri}}}{name}" for name in ("startTime", "endTime", "time")}
_XSD = "http://www.w3.org/2001/XMLSchema"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_ROOT = re.compile(rb"\s*(?:<[?!][^>]*>\s*)*<[^>]*")


def read_xml(data: bytes) -> ProvDocument:
    """The document; raises ``ValueError`` or an error of ``prov`` or ``lxml``, with line and record where it can."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    root_tag = _ROOT.match(data)
    if root_tag is not None and 0 <= data.rfind(b"xmlns") < root_tag.end():
        parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=_with_one_scope()))
    root = etree.fromstring(data, parser)
    information: Any = root.getroottree().docinfo
    if information.doctype:
        raise ValueError("it has a document type declaration, which PROV-XML does not need and entities can hide in")
    if root.tag != f"{{{PROV.uri}}}document":
        raise ValueError(f"its root element is {root.tag}, not prov:document")
    for bundle in root.findall(f"{{{PROV.uri}}}bundle"):
        if any(_is_record(child) for child in bundle):  # what ProvToolbox calls a bundleContent; else an entity
            bundle.tag = f"{{{PROV.uri}}}bundleContent"
    for element in root.iter():
        _require_plain(element)
    document = ProvDocument()
    try:
        ProvXMLSerializer().deserialize_subtree(root, document)
    except UNREADABLE as error:
        found = _first_unreadable(root)
        if found is None:
            raise
        raise ValueError(f"{_place(found[0])}: {found[1]}") from error
    return document


def _require_plain(element: etree._Element) -> None:
    """Raises for names by a prefix that is not declared, which ``prov`` takes for local names, and unreadable times."""
    kind = element.get(_XSI_TYPE)
    if kind is not None and _is_name_of_nothing(element):
        del element.attrib[_XSI_TYPE]
    for attribute, value in element.attrib.items():
        prefix, colon, _ = str(value).partition(":")
        if attribute in _NAMING and colon and prefix not in element.nsmap:
            raise ValueError(f"{_place(element)}: {value!r} has the prefix {prefix!r}, which is not declared")
    if element.tag in _TIMES and not is_date_time((element.text or "").strip()):
        raise ValueError(f"{_place(element)}: {element.text!r} is not an xsd:dateTime")


def _place(element: etree._Element) -> str:
    """``line 7, prov:activity ex:a, prov:startTime``: the element and the record it stands in."""
    names = []
    above: etree._Element | None = element
    while above is not None and above.getparent() is not None:
        name = etree.QName(above)
        shown = f"{above.prefix}:{name.localname}" if above.prefix else name.localname
        identifier = above.get(f"{{{PROV.uri}}}id")
        names.append(f"{shown} {identifier}" if identifier else shown)
        above = above.getparent()
    return ", ".join((f"line {element.sourceline}", *reversed(names)))


def _first_unreadable(root: etree._Element) -> tuple[etree._Element, str] | None:
    """The first record that cannot be read by itself, and why; None if each can."""
    records = []
    for child in root:
        is_bundle = child.tag == f"{{{PROV.uri}}}bundleContent"
        records += list(child) if is_bundle else [child]
    for record in records:
        scope: Any = record.nsmap
        alone = etree.Element(root.tag, nsmap=scope)
        alone.append(deepcopy(record))
        try:
            ProvXMLSerializer().deserialize_subtree(alone, ProvDocument())
        except UNREADABLE as error:
            return record, str(error)
    return None


def _is_name_of_nothing(element: etree._Element) -> bool:
    """Whether the text is a QName in no namespace: PROV has no name for it, so it is taken as text.

    The examples of W3C's PROV-XML have such values.
    """
    prefix, _, name = (element.get(_XSI_TYPE) or "").rpartition(":")
    is_name = (name, element.nsmap.get(prefix or None)) == ("QName", _XSD)
    return is_name and ":" not in (element.text or "") and None not in element.nsmap


def _is_record(element: etree._Element) -> bool:
    name = etree.QName(element)
    return name.namespace == PROV.uri and name.localname not in _ATTRIBUTES


def _with_one_scope() -> type[etree.ElementBase]:
    """Elements of a document in which only the root declares namespaces.

    ``prov`` asks for all namespaces in scope at each name, and lxml gathers them each time: quadratic for documents
    like ours, in which each activity has a namespace of its own.
    """
    scope: dict[str | None, str] = {}

    class Element(etree.ElementBase):
        @property
        def nsmap(self) -> dict[str | None, str]:
            if not scope:
                found: Any = super().nsmap
                scope.update(found)
            return scope

    return Element
