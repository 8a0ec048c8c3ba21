"""Darwin Core vocabulary: IRIs written compactly (``dwc:occurrenceID``), and column headings read as terms."""

from __future__ import annotations

import re

NAMESPACES = {
    "http://rs.tdwg.org/dwc/terms/": "dwc",
    "http://rs.tdwg.org/dwc/iri/": "dwciri",
    "http://rs.tdwg.org/ac/terms/": "ac",
    "http://rs.tdwg.org/chrono/terms/": "chrono",
    "http://rs.tdwg.org/chrono/iri/": "chronoiri",
    "http://rs.tdwg.org/eco/terms/": "eco",
    "http://rs.tdwg.org/eco/iri/": "ecoiri",
    "http://purl.org/dc/terms/": "dcterms",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/dcmitype/": "dcmitype",
    "http://rs.gbif.org/terms/1.0/": "gbif",
    "http://rs.gbif.org/terms/": "gbif",
    "http://rs.iobis.org/obis/terms/": "obis",
    "http://data.ggbn.org/schemas/ggbn/terms/": "ggbn",
    "https://w3id.org/mixs/": "mixs",
    "http://purl.org/germplasm/germplasmTerm#": "germplasm",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://xmlns.com/foaf/0.1/": "foaf",
    "http://www.w3.org/2003/01/geo/wgs84_pos#": "geo",
}
"""Namespace IRI to compact prefix; both GBIF namespaces are one prefix, as GBIF itself mixes them."""

_LOCAL_NAME = re.compile(r"[\w.-]+")

# Simple Darwin Core (https://dwc.tdwg.org/simple/) allows the first beside the terms of the dwc: namespace.
_DUBLIN_CORE = "type modified language license rightsHolder accessRights bibliographicCitation references"
_DARWIN_CORE = """
    feedbackURL institutionID collectionID datasetID institutionCode collectionCode datasetName ownerInstitutionCode
    basisOfRecord informationWithheld dataGeneralizations dynamicProperties
    occurrenceID catalogNumber recordNumber recordedBy recordedByID individualCount organismQuantity
    organismQuantityType sex lifeStage reproductiveCondition caste behavior vitality establishmentMeans
    degreeOfEstablishment pathway georeferenceVerificationStatus occurrenceStatus associatedMedia
    associatedOccurrences associatedReferences associatedTaxa otherCatalogNumbers occurrenceRemarks
    organismID organismName organismScope causeOfDeath associatedOrganisms previousIdentifications organismRemarks
    materialEntityID digitalSpecimenID materialEntityType preparations disposition verbatimLabel associatedSequences
    materialEntityRemarks materialSampleID
    eventID parentEventID eventType fieldNumber projectTitle projectID fundingAttributionID eventDate eventTime
    startDayOfYear endDayOfYear year month day verbatimEventDate habitat samplingProtocol sampleSizeValue
    sampleSizeUnit samplingEffort fieldNotes eventRemarks
    locationID higherGeographyID higherGeography continent waterBody islandGroup island country countryCode
    stateProvince county municipality locality verbatimLocality minimumElevationInMeters maximumElevationInMeters
    verbatimElevation verticalDatum minimumDepthInMeters maximumDepthInMeters verbatimDepth
    minimumDistanceAboveSurfaceInMeters maximumDistanceAboveSurfaceInMeters locationAccordingTo locationRemarks
    decimalLatitude decimalLongitude geodeticDatum coordinateUncertaintyInMeters coordinatePrecision
    pointRadiusSpatialFit verbatimCoordinates verbatimLatitude verbatimLongitude verbatimCoordinateSystem verbatimSRS
    footprintWKT footprintSRS footprintSpatialFit georeferencedBy georeferencedDate georeferenceProtocol
    georeferenceSources georeferenceRemarks
    geologicalContextID earliestEonOrLowestEonothem latestEonOrHighestEonothem earliestEraOrLowestErathem
    latestEraOrHighestErathem earliestPeriodOrLowestSystem latestPeriodOrHighestSystem earliestEpochOrLowestSeries
    latestEpochOrHighestSeries earliestAgeOrLowestStage latestAgeOrHighestStage lowestBiostratigraphicZone
    highestBiostratigraphicZone lithostratigraphicTerms group formation member bed
    identificationID verbatimIdentification identificationQualifier typeStatus typifiedName identifiedBy
    identifiedByID dateIdentified identificationReferences identificationVerificationStatus identificationRemarks
    taxonID scientificNameID acceptedNameUsageID parentNameUsageID originalNameUsageID nameAccordingToID
    namePublishedInID taxonConceptID scientificName acceptedNameUsage parentNameUsage originalNameUsage
    nameAccordingTo namePublishedIn namePublishedInYear higherClassification kingdom phylum class order superfamily
    family subfamily tribe subtribe genus genericName subgenus infragenericEpithet specificEpithet
    infraspecificEpithet cultivarEpithet taxonRank verbatimTaxonRank scientificNameAuthorship vernacularName
    nomenclaturalCode taxonomicStatus nomenclaturalStatus taxonRemarks
    measurementID parentMeasurementID measurementType verbatimMeasurementType measurementValue measurementAccuracy
    measurementUnit measurementDeterminedBy measurementDeterminedDate measurementMethod measurementRemarks
    resourceRelationshipID resourceID relationshipOfResourceID relatedResourceID relationshipOfResource
    relationshipAccordingTo relationshipEstablishedDate relationshipRemarks
"""
_HEADINGS = {
    name.casefold(): f"{prefix}:{name}"
    for prefix, names in (("dwc", _DARWIN_CORE), ("dcterms", _DUBLIN_CORE))
    for name in names.split()
}
_PREFIXES = frozenset(NAMESPACES.values())

SPECIMEN_ROWS = frozenset(
    {
        "dwc:Occurrence",
        "dwc:MaterialEntity",
        "dwc:MaterialSample",
        "dwc:MaterialCitation",
        "dwc:PreservedSpecimen",
        "dwc:FossilSpecimen",
        "dwc:LivingSpecimen",
        "dwc:HumanObservation",
        "dwc:MachineObservation",
        "http://rs.tdwg.org/dwc/xsd/simpledarwincore/SimpleDarwinRecord",
    }
)
"""The row types of which each row is a thing in a collection, or the observation of one."""

_ROW_TYPES = SPECIMEN_ROWS | {
    "dwc:Identification",
    "dwc:MeasurementOrFact",
    "dwc:ResourceRelationship",
    "dwc:ChronometricAge",
    "chrono:ChronometricAge",
    "dwc:Taxon",
    "dwc:Event",
    "gbif:Multimedia",
    "gbif:Image",
    "gbif:Reference",
    "gbif:Identifier",
    "gbif:VernacularName",
    "ac:Multimedia",
    "obis:ExtendedMeasurementOrFact",
}
_SPELLINGS = {term.casefold(): term for term in (*_ROW_TYPES, *_HEADINGS.values())}


def compact(term_iri: str) -> str:
    """Write the IRI of a term or row type compactly: ``http://rs.tdwg.org/dwc/terms/Occurrence`` -> ``dwc:Occurrence``.

    Surrounding white space is dropped, ``https`` is taken for ``http`` where the namespace is known, and Darwin Core's
    own terms are known in any case, as by GBIF. Anything else stays whole, also a bare name such as
    ``scientificName``: the Darwin Core text guide (2.4.1) demands an IRI, so which vocabulary a bare name belongs to
    would be a guess.
    """
    iri = term_iri.strip()
    cut = max(iri.rfind("/"), iri.rfind("#")) + 1
    namespace, name = iri[:cut], iri[cut:]
    prefix = NAMESPACES.get(namespace) or NAMESPACES.get(namespace.replace("https://", "http://", 1))
    if not (prefix and _LOCAL_NAME.fullmatch(name)):
        return iri
    term = f"{prefix}:{name}"
    return _SPELLINGS.get(term.casefold(), term)


def term_of_heading(heading: str) -> str | None:
    """The compact term a column heading names, or None when it names none.

    Read are the names of Simple Darwin Core in any case (``catalogNumber``), known prefixes (``dwc:catalogNumber``)
    and whole IRIs. Used only where there is no ``meta.xml``: with one, headings say nothing.
    """
    text = heading.strip()
    prefix, colon, name = text.partition(":")
    if colon and prefix in _PREFIXES and _LOCAL_NAME.fullmatch(name):
        return text
    if "://" in text:
        term = compact(text)
        return term if term != text else None
    return _HEADINGS.get(text.casefold())
