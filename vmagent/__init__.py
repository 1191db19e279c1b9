"""The agent: pulls signed work, streams every finished event back, survives being killed."""

__version__ = "0.1.0"
