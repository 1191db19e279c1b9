"""The command line of the server: `windfall`, or `python -m server`."""

from __future__ import annotations

from server.cli.root import main

if __name__ == "__main__":
    main()
