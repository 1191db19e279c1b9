"""What people see and say of trust, through the doors, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_production_life import WHOLE, output_of
from tests.kit.crowd import adaptive
from tests.kit.house import House, finish, honest, house


async def trust_of(found: House, host: int) -> dict[str, Any]:
    return dict(await found.told(f"/hosts/{host}/trust"))


async def books_of(found: House, host: str) -> tuple[float, float]:
    """What a host has of credit, and what was taken back; the books have to be right."""
    _, right = await found.manage("POST", "/credit/check")
    assert right == {"ok": True, "sum_micros": 0, "faults": []}
    _, shown = await found.manage("GET", "/credit")
    [line] = [one for one in shown["lines"] if (one["kind"], one["name"]) == ("host", host)]
    return line["credit"], line["taken_back"]


async def test_credit_of_doubtful_events_goes_back_and_comes_again_if_they_are_cleared(
    tmp_path: Path, options: dict[str, str]
) -> None:
    async with house(tmp_path, **options) as found:
        await found.produce(found.definition() + adaptive(0.2, needed=100))
        ada, bob = await found.join("ada"), await found.join("bob")
        place = f"/hosts/{ada.id}/trust"
        await found.manage("POST", place, {"word": "trust"})
        await finish(found, [ada, bob])
        before, _ = await books_of(found, "ada")
        distrust = {"word": "distrust", "reason": "it was stolen"}
        _, said = await found.manage("POST", place, distrust)
        each = before / 1000  # it made every event, and some of them were checked
        assert said["credit_taken_back"] == pytest.approx(said["doubtful"] * each)
        left = before - said["credit_taken_back"]
        assert await books_of(found, "ada") == pytest.approx((left, said["credit_taken_back"]))
        _, said = await found.manage("POST", place, {"word": "clear", "reason": "seen by hand"})
        assert (said["trust"], said["doubtful"], said["credit_taken_back"]) == ("doubted", 0, 0)
        assert (await found.show())["doubtful"] == 0
        assert await books_of(found, "ada") == pytest.approx((before, 0))
        await found.manage("POST", place, distrust)
        await found.manage("POST", place, distrust)
        assert (await books_of(found, "ada"))[0] == pytest.approx(left)
        _, told = await found.manage("GET", f"/credit/corrections?host={ada.id}")
        causes = [(line["cause"], line["credit"] < 0) for line in told["lines"]]
        assert causes == [
            ("distrust by admin: it was stolen", True),
            ("clear by admin: seen by hand", False),
            ("distrust by admin: it was stolen", True),
        ]
        _, story = await found.manage("GET", f"/machines/{ada.id}")
        assert sum(line["what"] == "credit" for line in story["timeline"]) == len(causes)
        assert (await found.manage("GET", "/credit/corrections?host=999"))[0] == 404


async def test_a_person_trusts_and_distrusts_hosts_and_sees_what_it_comes_to(
    tmp_path: Path, options: dict[str, str]
) -> None:
    async with house(tmp_path, **options) as found:
        text = found.definition() + adaptive(0.2, needed=100)
        view = await found.produce(text)
        assert (view["adaptive"], view["taken_on_trust"]) == (True, 0)
        ada, bob = await found.join("ada"), await found.join("bob")
        word = {"word": "trust", "reason": "our own machine"}
        status, said = await found.manage("POST", f"/hosts/{ada.id}/trust", word)
        assert (status, said["trust"], said["said_by"]) == (200, "trusted", "admin")
        done = await finish(found, [ada, bob])
        assert await output_of(found) == WHOLE
        assert 0 < done["taken_on_trust"] <= 800
        assert done["doubtful"] == 0

        word = {"word": "distrust", "reason": "it was stolen"}
        status, said = await found.manage("POST", f"/hosts/{ada.id}/trust", word)
        assert (status, said["trust"], said["doubtful"]) == (
            200, "doubted", said["taken_on_trust"],
        )  # fmt: skip
        assert (await found.show())["doubtful"] == said["doubtful"] > 0
        causes = [move["cause"] for move in said["moves"]]
        assert causes[0] == "distrust by admin: it was stolen"
        assert causes[-1] == "trust by admin: our own machine"
    async with house(tmp_path, **options) as again:
        assert (await trust_of(again, ada.id))["trust"] == "doubted"
        _, hosts = await again.manage("GET", "/hosts")
        assert {host["name"]: host["trust"] for host in hosts["hosts"]}["ada"] == "doubted"
        status, said = await again.manage("POST", f"/hosts/{ada.id}/trust", {"word": "reset"})
        assert (status, said["trust"], said["payloads"]) == (200, "new", [])
        known = (await trust_of(again, bob.id))["payloads"]
        assert [(row["payload"], row["caught"]) for row in known] in ([("toy 1", 0)], [])


async def test_a_cheat_is_caught_and_said_so_through_the_doors(
    tmp_path: Path, options: dict[str, str]
) -> None:
    def lie(event: int) -> bytes:
        return honest(event).replace(b"seed", b"Seed")

    async with house(tmp_path, **options) as found:
        await found.produce(found.definition() + adaptive(0.5))
        eve, ada, bob = [await found.join(name) for name in ("eve", "ada", "bob")]
        eve.make = lie  # type: ignore[attr-defined]
        await found.manage("POST", f"/hosts/{eve.id}/trust", {"word": "trust"})
        await finish(found, [eve, ada, bob])
        said = await trust_of(found, eve.id)
        assert (said["trust"], said["word"]) == ("doubted", "")
        assert said["payloads"][0]["caught"] > 0
        assert "settled against it" in said["moves"][0]["cause"]
        output = await output_of(found)
        assert output.count(b"Seed") <= said["doubtful"]


async def test_nonsense_about_trust_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await found.join("ada")
        for path, body, code in (
            (f"/hosts/{ada.id}/trust", {"word": "love"}, "bad-input"),
            (f"/hosts/{ada.id}/trust", {"word": "trust", "reason": "a\u202eb"}, "bad-input"),
            ("/hosts/999/trust", {"word": "trust"}, "host-unknown"),
        ):
            status, said = await found.manage("POST", path, body)
            assert (status >= 400, said["code"]) == (True, code)
