"""The rules that are held against each other, and a run of one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server.domain.policy import Policy
from tools.cheating.boinc import Boinc
from tools.cheating.pool import Pool
from tools.cheating.scene import Outcome, Scene

SHARES = (0.0, 0.01, 0.05, 0.10, 0.20, 0.40)
CHECKS = (0.02, 0.05, 0.10, 0.20)


@dataclass(frozen=True)
class Rule:
    """A name, how a production runs under it, and whether it trusts anybody."""

    name: str
    run: Callable[[Scene], Outcome]
    trusts: bool = True


def _quorum(copies: int) -> Rule:
    return Rule(f"quorum {copies}", lambda scene: Pool(scene, Policy(copies)).run(), trusts=False)


def _adaptive(share: float, copies: int = 2) -> Rule:
    policy = Policy(quorum=copies, adaptive=True, spot_checks=share)
    name = "adaptive" if copies == Policy.quorum else f"adaptive, quorum {copies}"
    return Rule(f"{name}, {share:.0%} checked", lambda scene: Pool(scene, policy).run())


RULES = (
    _quorum(2),
    _quorum(3),
    Rule("BOINC adaptive", lambda scene: Boinc(scene).run()),
    *map(_adaptive, CHECKS),
    _adaptive(0.05, 3),
)
