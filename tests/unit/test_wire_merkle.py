"""The hash tree of lease batches, held against RFC 6962 and against every lie about a place."""

from __future__ import annotations

import hashlib

import pytest

from vmagent.wire import merkle

MOST = 70
TEXTS = [f"lease {number}".encode() for number in range(MOST)]
# The test vectors of the Certificate Transparency reference implementation: the tree heads over the
# first one, two .. eight of these leaves.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
LEAVES.append("606162636465666768696a6b6c6d6e6f")
HEADS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 33, MOST])


def head(texts: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if len(texts) == 1:
        return hashlib.sha256(b"\0" + texts[0]).digest()
    split = _split(len(texts))
    return hashlib.sha256(b"\1" + head(texts[:split]) + head(texts[split:])).digest()


def audit(index: int, texts: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1, as it is written there."""
    if len(texts) == 1:
        return []
    split = _split(len(texts))
    if index < split:
        return [*audit(index, texts[:split]), head(texts[split:])]
    return [*audit(index - split, texts[split:]), head(texts[:split])]


def sides(index: int, size: int) -> str:
    """The way from the root to a leaf."""
    if size == 1:
        return ""
    split = _split(size)
    if index < split:
        return "l" + sides(index, split)
    return "r" + sides(index - split, size - split)


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


@pytest.mark.parametrize("size", range(1, 9))
def test_the_root_is_that_of_certificate_transparency(size: int) -> None:
    root, _ = merkle.tree([bytes.fromhex(leaf) for leaf in LEAVES[:size]])
    assert root.hex() == HEADS[size - 1]


def test_roots_and_paths_are_those_of_the_rfc_for_every_size_and_index() -> None:
    for size in range(1, MOST + 1):
        texts = TEXTS[:size]
        root, paths = merkle.tree(texts)
        assert root == head(texts)
        assert paths == [b"".join(audit(index, texts)) for index in range(size)]
        for index, text in enumerate(texts):
            assert merkle.root_from(text, index, size, paths[index]) == root


@SIZES
def test_a_leaf_fits_no_other_index_of_its_tree(size: int) -> None:
    root, paths = merkle.tree(TEXTS[:size])
    for index in range(size):
        for other in range(-2, size + 3):
            found = merkle.root_from(TEXTS[index], other, size, paths[index])
            assert (found == root) is (other == index)


def test_another_size_fits_only_where_the_way_up_is_the_same() -> None:
    # Index and size are not signed: they tell the way up. A text that leads to the root was signed.
    for size in (2, 3, 6, 11, 32):
        root, paths = merkle.tree(TEXTS[:size])
        for index in range(size):
            for other in range(-1, 2 * size + 2):
                found = merkle.root_from(TEXTS[index], index, other, paths[index])
                same = index < other and sides(index, other) == sides(index, size)
                assert (found == root) is same


@SIZES
def test_a_text_that_was_not_signed_leads_elsewhere(size: int) -> None:
    root, paths = merkle.tree(TEXTS[:size])
    for index, path in enumerate(paths):
        for text in (b"", b"lease", TEXTS[index] + b" ", path[:32] + path[32:64]):
            assert merkle.root_from(text, index, size, path) != root


@SIZES
def test_a_path_with_any_sister_altered_leads_elsewhere(size: int) -> None:
    root, paths = merkle.tree(TEXTS[:size])
    for index, path in enumerate(paths):
        for at in range(0, len(path), 32):
            altered = path[:at] + bytes([path[at] ^ 1]) + path[at + 1 :]
            assert merkle.root_from(TEXTS[index], index, size, altered) != root


@SIZES
def test_a_path_of_another_length_fits_no_tree(size: int) -> None:
    _, paths = merkle.tree(TEXTS[:size])
    for index, path in enumerate(paths):
        for other in (path[:-1], path[:-32], path + b"x", path + b"x" * 32):
            if other != path:
                assert merkle.root_from(TEXTS[index], index, size, other) == b""


def test_sisters_in_another_order_lead_elsewhere() -> None:
    root, paths = merkle.tree(TEXTS[:4])
    swapped = paths[0][32:] + paths[0][:32]
    assert merkle.root_from(TEXTS[0], 0, 4, swapped) not in (root, b"")


def test_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    # Why leaves and nodes are hashed apart (RFC 6962, 2.1): else two sisters would be a text.
    root, paths = merkle.tree(TEXTS[:4])
    sisters = merkle.leaf_of(TEXTS[0]) + merkle.leaf_of(TEXTS[1])
    assert merkle.root_from(sisters, 0, 2, paths[0][32:]) != root


def test_a_tree_of_absurd_size_is_refused_at_once() -> None:
    assert merkle.root_from(b"a", 2**62, 2**63, b"x" * 64) == b""
