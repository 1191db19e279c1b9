"""An exact e+ e- -> mu+ mu- generator around the Z, the same bytes on every machine."""
