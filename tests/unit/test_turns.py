"""How often somebody may do something in a minute, and who counts as one."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from server.domain.errors import TooMany
from server.domain.latest import Latest
from server.domain.throttle import Minute, place_of
from server.handlers import peer
from server.services import turns
from server.services.turns import Doorway, Turns


def test_after_so_many_in_a_minute_the_next_is_told_how_long_to_wait() -> None:
    minute = Minute()
    for second in range(3):
        minute.take(1000.0 + second, 3)
    with pytest.raises(TooMany) as told:
        minute.take(1010.0, 3)
    assert told.value.retry_after == 50.0
    minute.take(1060.0, 3)
    minute.take(900.0, 3)  # a clock that was set back holds nobody up


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::8", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "unknown", False),
    ],
)
def test_an_ipv6_network_counts_as_one_and_an_ipv4_address_too(
    one: str, other: str, same: bool
) -> None:
    assert (place_of(one) == place_of(other)) is same


def test_addresses_without_end_take_no_memory_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "ADDRESSES_MOST", 100)
    found = Turns(1)
    for number in range(1000):
        found.take(f"10.0.{number // 256}.{number % 256}", 5.0)
    assert len(found.seen) == 100


def test_what_was_set_longest_ago_is_forgotten_first() -> None:
    found: Latest[str, int] = Latest(2)
    found["a"], found["b"] = 1, 2
    found["a"] = 3
    found["c"] = 4
    assert dict(found) == {"a": 3, "c": 4}


def test_what_is_refused_is_not_counted_and_what_turned_out_well_is_given_back() -> None:
    minute = Minute()
    minute.take(1000.0, 10, 6)
    with pytest.raises(TooMany):
        minute.take(1001.0, 10, 6)
    minute.take(1001.0, 10, 4)
    with pytest.raises(TooMany):
        minute.check(1002.0, 10)
    minute.back(7)
    minute.take(1002.0, 10, 7)
    minute.check(1060.0, 10)


def test_a_good_token_is_let_in_from_where_many_wrong_ones_come() -> None:
    door = Doorway(wrong=Turns(3))
    door.welcome(b"good")
    for _ in range(3):
        door.passes(b"wrong", "192.0.2.7", 5.0)
        door.wrong.take("192.0.2.7", 5.0)
    with pytest.raises(TooMany):
        door.passes(b"new", "192.0.2.7", 6.0)
    door.passes(b"good", "192.0.2.7", 6.0)
    door.passes(b"new", "192.0.2.8", 6.0)
    door.passes(b"new", "192.0.2.7", 66.0)


PROXIES = ("127.0.0.0/8", "10.1.0.0/16")


@pytest.mark.parametrize(
    ("said", "proxies", "address"),
    [
        (["198.51.100.9"], (), "127.0.0.1"),  # not behind a proxy: what is said is not believed
        (["198.51.100.9"], PROXIES, "198.51.100.9"),
        (["203.0.113.1, 198.51.100.9"], PROXIES, "198.51.100.9"),  # the first is the client's word
        (["203.0.113.1", "198.51.100.9, 10.1.2.3"], PROXIES, "198.51.100.9"),
        (["198.51.100.9:4711"], PROXIES, "198.51.100.9"),
        (["[2001:db8::1]:4711"], PROXIES, "2001:db8::1"),
        (["198.51.100.9, garbage"], PROXIES, "127.0.0.1"),
        ([], PROXIES, "127.0.0.1"),
        (["198.51.100.9"], ("10.1.0.0/16",), "127.0.0.1"),  # who asks is no proxy of ours
    ],
)
def test_only_a_proxy_is_believed_where_a_request_comes_from(
    said: list[str], proxies: tuple[str, ...], address: str
) -> None:
    app = web.Application()
    app[peer.PROXIES] = peer.networks(proxies) if proxies else ()
    headers = CIMultiDict([("X-Forwarded-For", each) for each in said])
    request = make_mocked_request("GET", "/", headers, app=app).clone(remote="127.0.0.1")
    assert peer.address_of(request) == address
