"""What anybody may ask for is made for one and shown to all, in bounds."""

from __future__ import annotations

import asyncio

import pytest

from server.services.lately import Lately


class Maker:
    """Makes a number each time, and knows how many it makes at once."""

    def __init__(self) -> None:
        """Nothing was made."""
        self.made = self.at_once = self.most_at_once = 0

    async def __call__(self) -> int:
        """One more."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.made += 1
        return self.made


async def test_it_is_made_once_for_all_who_ask_within_its_time() -> None:
    now, make = 100.0, Maker()
    kept: Lately[str, int] = Lately(3.0, 2, lambda: now)
    assert await asyncio.gather(*(kept.of("a", make) for _ in range(50))) == [1] * 50
    now += 2.9
    assert await kept.of("a", make) == 1
    now += 0.2
    assert await kept.of("a", make) == 2


async def test_of_a_clock_that_was_put_back_nothing_is_shown_for_ever() -> None:
    now, make = 100.0, Maker()
    kept: Lately[str, int] = Lately(3.0, 2, lambda: now)
    await kept.of("a", make)
    now -= 50.0
    assert await kept.of("a", make) == 2


async def test_different_things_are_made_one_after_the_other_and_few_are_kept() -> None:
    make = Maker()
    kept: Lately[int, int] = Lately(3.0, 2, lambda: 0.0)
    await asyncio.gather(*(kept.of(key, make) for key in range(40)))
    assert (make.made, make.most_at_once) == (40, 1)
    assert len(kept._kept) == 2
    assert await kept.of(39, make) == 40, "the latest are kept"


async def test_what_could_not_be_made_is_tried_again_by_the_next() -> None:
    make, tries = Maker(), 0

    async def fail() -> int:
        nonlocal tries
        tries += 1
        raise OSError("gone")

    kept: Lately[str, int] = Lately(3.0, 2, lambda: 0.0)
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            await kept.of("a", fail)
    assert tries == 2
    assert await kept.of("a", make) == 1
