"""Every page that browsers are shown, with addresses at which tests look at it.

To add a page: a line here, and what it needs to show in `tests.kit.lived_in`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """An address, whose {words} `lived_in.live` knows, who looks (a role), and what is answered."""

    path: str
    who: str = ""
    status: int = 200


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "/": (Example("/"),),
    "/statistics": (Example("/statistics"), Example("/statistics?range=ever", status=400)),
    "/statistics/machines": (Example("/statistics/machines?range=week"),),
    "/statistics/countries": (Example("/statistics/countries"),),
    "/statistics/events": (Example("/statistics/events?range=hour"),),
    "/statistics/tasks": (Example("/statistics/tasks?range=year"),),
    "/statistics/queue": (Example("/statistics/queue?range=month"),),
    "/statistics/trouble": (Example("/statistics/trouble?range=all"),),
    "/patterns": (Example("/patterns"),),
    "/productions/{name}": (
        Example("/productions/{production}"),
        Example("/productions/mumu-91gev"),
        Example("/productions/nobody", status=404),
    ),
    "/sites": (Example("/sites", "institute"), Example("/sites", "operator")),
    "/sites/{name}": (
        Example("/sites/{site}"),
        Example("/sites/{site}", "institute"),
        Example("/sites/{site}", "operator"),
    ),
    "/groups": (Example("/groups", "volunteer"), Example("/groups?all=1", "admin")),
    "/groups/{group}": (
        Example("/groups/na61", "volunteer"),
        Example("/groups/na61", "institute"),
        Example("/groups/na61", "operator", 404),
    ),
    "/sites/{name}/giving": (
        Example("/sites/{site}/giving", "operator"),
        Example("/sites/{site}/giving", "volunteer", 403),
    ),
    "/teams": (Example("/teams", "volunteer"), Example("/teams", "operator")),
    "/teams/{team}": (
        Example("/teams/{team}", "volunteer"),
        Example("/teams/999", "volunteer", 404),
    ),
    "/contribution": (
        Example("/contribution", "volunteer"),
        Example("/contribution", "operator"),
    ),
    "/certificates/{code}": (
        Example("/certificates/{certificate}"),
        Example("/certificates/2345-6789-BCDF-GHJK", status=404),
    ),
    "/login": (Example("/login"),),
    "/login/with/{provider}": (Example("/login/with/nobody", status=404),),
    "/login/with/{provider}/back": (Example("/login/with/nobody/back", status=404),),
    "/profile/link/{provider}": (Example("/profile/link/nobody", "volunteer", 404),),
    "/login/code": (Example("/login/code"),),
    "/signup": (Example("/signup"),),
    "/forgot": (Example("/forgot"),),
    "/link": (Example("/link", status=410),),
    "/profile": (Example("/profile", "volunteer"),),
    "/admin/accounts": (Example("/admin/accounts", "admin"),),
    "/admin/accounts/{name}": (Example("/admin/accounts/admin", "admin"),),
    "/admin/audit": (Example("/admin/audit", "admin"), Example("/admin/audit?who=x", "admin")),
    "/appearance": (Example("/appearance"),),
    "/hosts": (Example("/hosts", "operator"), Example("/hosts?q=nobody", "operator")),
    "/tasks": (
        Example("/tasks", "operator"),
        Example("/tasks?state=failed&host=ada", "operator"),
        Example("/tasks?site=nowhere", "operator", 404),
    ),
    "/tasks/{task}": (Example("/tasks/{failed}", "operator"),),
    "/hosts/bulk": (
        Example("/hosts/bulk", "admin"),
        Example("/hosts/bulk?action=ban&q=ada", "admin"),
        Example("/hosts/bulk?action=dance", "admin", 400),
    ),
    "/hosts/{host}": (
        Example("/hosts/{host}", "operator"),
        Example("/hosts/{banned}", "admin"),
    ),
    "/pair": (Example("/pair", "volunteer"),),
    "/pair/code": (Example("/pair/code?code=BCDF-GHJK", "volunteer"),),
    "/pair/{pairing}": (
        Example("/pair/{waiting}", "volunteer"),
        Example("/pair/{claimed}", "volunteer"),
        Example("/pair/{crowded}", "volunteer"),
        Example("/pair/{paired}", "volunteer"),
        Example("/pair/{cancelled}", "volunteer"),
        Example("/pair/{waiting}", "operator", 404),
    ),
    "/machines": (
        Example("/machines", "volunteer"),
        Example("/machines", "operator"),
        Example("/machines?site={site}", "institute"),
    ),
    "/machines/{machine}": (Example("/machines/{machine}", "volunteer"),),
    "/machines/tokens": (Example("/machines/tokens", "volunteer"),),
    "/bans": (Example("/bans", "admin"),),
    "/new-pattern": (Example("/new-pattern", "operator"),),
    "/dashboard": (Example("/dashboard", "volunteer"), Example("/dashboard", "admin")),
    "/library": (Example("/library", "volunteer"), Example("/library?words=-school", "volunteer")),
    "/contexts/new": (Example("/contexts/new", "volunteer"),),
    "/contexts/new/edit": (
        Example("/contexts/new/edit?role=worker", "volunteer"),
        Example("/contexts/new/edit", "volunteer"),
    ),
    "/contexts/import": (Example("/contexts/import", "volunteer"),),
    "/contexts/review": (Example("/contexts/review", "operator"),),
    "/contexts/defaults": (Example("/contexts/defaults", "admin"),),
    "/contexts/defaults/experiment": (Example("/contexts/defaults/experiment", "admin"),),
    "/contexts/defaults/{layer}/{subject}": (Example("/contexts/defaults/user/me", "volunteer"),),
    "/contexts/{id}": (
        Example("/contexts/{context}", "volunteer"),
        Example("/contexts/{public}", "volunteer"),
        Example("/contexts/{unread}", "operator"),
        Example("/contexts/{context}", "operator", 404),
    ),
    "/contexts/{id}/edit": (Example("/contexts/{context}/edit", "volunteer"),),
    "/contexts/{id}/history": (Example("/contexts/{context}/history", "volunteer"),),
    "/contexts/{id}/diff": (Example("/contexts/{context}/diff", "volunteer"),),
    "/clusters": (Example("/clusters", "volunteer"),),
    "/operations": (Example("/operations", "operator"), Example("/operations", "admin")),
    "/operations/alerts": (Example("/operations/alerts", "operator"),),
    "/operations/alerts/{alert}": (
        Example("/operations/alerts/{alert}", "operator"),
        Example("/operations/alerts/{over}", "operator"),
    ),
    "/patterns/{name}": (Example("/patterns/no-geometry", "operator"),),
}
"""By the address of the route; a test holds that no page is missing."""
