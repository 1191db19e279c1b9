"""Work Queue (makeflow): a worker of a project, or the catalogue server that lists projects."""

from __future__ import annotations

from contexts.asking import line
from contexts.made import Section
from contexts.parts.condor import MASTER
from contexts.shapes import NAME, USER

PART = Section(
    "workqueue",
    "Advanced",
    "Work Queue",
    "Starts Work Queue workers, one for each core; without a server, the catalogue server.",
    (
        line(
            "server",
            "Catalogue server",
            "Where projects are listed; none: this machine is it.",
            MASTER,
            example="catalog.example.org",
        ),
        line("project", "Project", "Whose work is done.", NAME),
        line("user", "User", "Whom workers run as.", USER, example="workqueue"),
    ),
    "workqueue",
    "workqueue",
    keys={"server": "catalog_server", "project": "workqueue_project", "user": "workqueue_user"},
    note="For CernVM 3 and 4; project and user are only read where there is a server.",
)
