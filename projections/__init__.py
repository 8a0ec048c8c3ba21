"""Everything derived from events: current objects, versions, changed terms, PROV; and the engine that keeps them."""
