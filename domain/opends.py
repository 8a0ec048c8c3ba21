"""What the store knows of openDS 0.4.0, as tables: object types, generated terms, how array items are told apart."""

from __future__ import annotations

from dataclasses import dataclass

_SCHEMAS = "https://schemas.dissco.tech/schemas/fdo-type/"
_DOI = "https://doi.org/"
_HANDLE = "https://hdl.handle.net/"


@dataclass(frozen=True)
class ObjectType:
    """One openDS object type.

    ``resolver`` turns a PID into its IRI; ``fdo_type`` is the PID of the FDO type; ``required`` are
    the asserted (not generated) terms its schema demands; ``version_term``, ``created_term`` and
    ``modified_term`` are where its envelope says so.
    """

    name: str
    schema: str
    resolver: str
    fdo_type: str
    required: tuple[str, ...]
    id_term: str = "dcterms:identifier"
    version_term: str = "ods:version"
    created_term: str = "dcterms:created"
    modified_term: str = "dcterms:modified"


OBJECT_TYPES: dict[str, ObjectType] = {
    kind.name: kind
    for kind in (
        ObjectType(
            "ods:DigitalSpecimen",
            _SCHEMAS + "digital-specimen/0.4.0/digital-specimen.json",
            _DOI,
            "https://doi.org/21.T11148/894b1e6cad57e921764e",
            (
                "ods:normalisedPhysicalSpecimenID",
                "ods:physicalSpecimenID",
                "ods:physicalSpecimenIDType",
                "ods:sourceSystemID",
                "ods:organisationID",
            ),
        ),
        ObjectType(
            "ods:DigitalMedia",
            _SCHEMAS + "digital-media/0.5.0/digital-media.json",
            _DOI,
            "https://doi.org/21.T11148/bbad8c4e101e8af01115",
            ("ac:accessURI", "ods:sourceSystemID"),
        ),
        ObjectType(
            "ods:Annotation",
            _SCHEMAS + "annotation/0.4.0/annotation.json",
            _HANDLE,
            "https://doi.org/21.T11148/cf458ca9ee1d44a5608f",
            ("oa:motivation", "oa:hasTarget", "dcterms:creator", "dcterms:issued", "as:generator"),
        ),
        ObjectType(
            "ods:SourceSystem",
            _SCHEMAS + "source-system/0.4.0/source-system.json",
            _HANDLE,
            "https://doi.org/21.T11148/23a63913d0c800609a50",
            ("schema:creator", "schema:url", "ods:translatorType", "ods:dataMappingID"),
            "schema:identifier",
            "schema:version",
            "schema:dateCreated",
            "schema:dateModified",
        ),
        ObjectType(
            "ods:DataMapping",
            _SCHEMAS + "data-mapping/0.4.0/data-mapping.json",
            _HANDLE,
            "https://doi.org/21.T11148/ce794a6f4df42eb7e77e",
            ("schema:creator", "ods:mappingDataStandard"),
            "schema:identifier",
            "schema:version",
            "schema:dateCreated",
            "schema:dateModified",
        ),
        ObjectType(
            "ods:MachineAnnotationService",
            _SCHEMAS + "machine-annotation-service/0.4.0/machine-annotation-service.json",
            _HANDLE,
            "https://doi.org/21.T11148/a369e128df5ef31044d4",
            (
                "schema:name",
                "schema:creator",
                "ods:topicName",
                "ods:containerImage",
                "ods:containerTag",
                "ods:batchingPermitted",
                "ods:timeToLive",
            ),
            "schema:identifier",
            "schema:version",
            "schema:dateCreated",
            "schema:dateModified",
        ),
        ObjectType(
            "ods:VirtualCollection",
            _SCHEMAS + "virtual-collection/0.2.0/virtual-collection.json",
            _HANDLE,
            "https://hdl.handle.net/21.T11148/2ac65a933b7a0361b651",
            ("ltc:collectionName", "ltc:basisOfScheme", "schema:creator", "ods:hasTargetDigitalObjectFilter"),
            "dcterms:identifier",
            "schema:version",
            "schema:dateCreated",
            "schema:dateModified",
        ),
    )
}


def object_iri(object_type: str, pid: str) -> str:
    """The resolvable IRI of an object: DOI for specimens and media, Handle for everything else."""
    kind = OBJECT_TYPES.get(object_type)
    return (kind.resolver if kind else _HANDLE) + pid


GENERATED_TERMS = frozenset({"@id", "ods:fdoType", "ods:midsLevel", "ods:status"})
"""Terms of every type that the store computes and therefore never keeps as content.

The identifier, version and created terms of :class:`ObjectType` belong to them too; the modified
term does not: a source may assert it, and only when it does not is it computed.
"""

TOMBSTONE_TERM = "ods:hasTombstoneMetadata"


def computed_terms(object_type: str) -> frozenset[str]:
    """The top-level terms of a type that are never content: computed, or set by tombstoning alone."""
    kind = OBJECT_TYPES[object_type]
    return GENERATED_TERMS | {kind.id_term, kind.version_term, kind.created_term, TOMBSTONE_TERM}


@dataclass(frozen=True)
class ItemIdentity:
    """How the items of one array are told apart.

    ``keys`` lists alternatives from strong to weak; each is a tuple of paths (``a/b`` descends,
    a number is an index) whose values together identify an item. Items that no key matches are
    paired in their order. ``ordered`` says whether the order of items means something; if not, the
    array is a set (as JSON-LD arrays are) and is kept in canonical order.
    """

    keys: tuple[tuple[str, ...], ...]
    ordered: bool = False


_NAME = "ods:hasTaxonIdentifications/0/dwc:scientificName"

ITEM_IDENTITY: dict[str, ItemIdentity] = {
    "ods:hasIdentifications": ItemIdentity(
        (("@id",), ("dwc:identificationID",), ("dwc:dateIdentified", _NAME), (_NAME,), ("dwc:dateIdentified",))
    ),
    "ods:hasTaxonIdentifications": ItemIdentity((("@id",), ("dwc:taxonID",), ("dwc:scientificName",))),
    "ods:hasIdentifiers": ItemIdentity((("dcterms:title", "dcterms:identifier"), ("dcterms:title",))),
    "ods:hasEntityRelationships": ItemIdentity(
        (("dwc:relationshipOfResource", "dwc:relatedResourceID"), ("dwc:relationshipOfResource",))
    ),
    "ods:hasCitations": ItemIdentity(
        (("@id",), ("dcterms:identifier",), ("dcterms:bibliographicCitation",), ("dcterms:title",))
    ),
    "ods:hasAssertions": ItemIdentity(
        (
            ("@id",),
            ("dwc:measurementID",),
            ("dwc:measurementType", "dwc:measurementDeterminedDate"),
            ("dwc:measurementType",),
        )
    ),
    "ods:hasEvents": ItemIdentity((("@id",), ("dwc:eventDate", "dwc:eventType"), ("dwc:eventType",)), ordered=True),
    "ods:hasChronometricAges": ItemIdentity((("@id",), ("chrono:chronometricAgeID",))),
    "ods:hasSpecimenParts": ItemIdentity((("@id",),)),
    "ods:hasMediaDerivatives": ItemIdentity((("@id",), ("ac:accessURI",))),
    "ods:hasAgents": ItemIdentity((("@id",), ("schema:identifier",), ("schema:name",)), ordered=True),
    "ods:hasRoles": ItemIdentity((("@id",), ("schema:roleName",))),
    "ods:hasRelatedPIDs": ItemIdentity((("dcterms:identifier",), ("schema:identifier",))),
}
"""The arrays of openDS objects, by the name of the property that holds them."""

VALUE_SETS = frozenset({"ods:metadataLanguages", "ac:tag", "dcterms:subject"})
"""Arrays of plain values whose order means nothing."""
