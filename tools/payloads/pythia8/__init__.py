"""Pythia 8 on the event pipe, with the card of proton-proton at 158 GeV/c on a fixed target."""
