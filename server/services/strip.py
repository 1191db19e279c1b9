"""How the units of a production stand, drawn as a strip of cells."""

from __future__ import annotations

STRIP = 400  # cells of a production's strip


def strip(total: int, states: dict[int, str], running: set[int]) -> list[str]:
    """One word per unit, or per run of units if there are many: the least finished of them."""
    if not total:
        return []
    cells = min(total, STRIP)
    found = []
    for cell in range(cells):
        low, high = cell * total // cells, (cell + 1) * total // cells
        if high - low > STRIP * 10:
            found.append(_word(states, running, [low, high - 1]))
        else:
            found.append(_word(states, running, range(low, high)))
    return found


def _word(states: dict[int, str], running: set[int], numbers: range | list[int]) -> str:
    found = {states.get(number, "open") for number in numbers}
    if "held" in found:
        return "held"
    if found == {"settled"}:
        return "settled"
    busy = any(number in running for number in numbers) or "settled" in found
    return "running" if busy else "open"
