"""W3C PROV of digital objects: what their events say in PROV-DM, named and written so that every format keeps it."""
