"""2048 words of our own that two screens are compared by: short, plain to say, far apart.

Each is consonant, vowel, consonant, vowel, consonant, and the last letter is the sum of those
before it: whoever mishears or mistypes one letter gets no other word of the list. They are made
here rather than taken from a list of somebody else's, and mean nothing in particular.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
BITS = 11  # of one word
# Beginnings and ends that would be rude, frightening or the name of somebody in a language we know.
_UNFIT = ("nig", "fag", "fuk", "kuk", "dik", "tit", "puta", "rap", "naz", "sad", "kil", "bom",
          "pis", "sek", "sut", "kak", "gas", "mor", "deb", "fas", "sod", "bas", "vag", "pen",
          "ana", "seme", "geno", "pud", "kon", "lul", "tet", "neg", "got", "dem")  # fmt: skip


def _made() -> tuple[str, ...]:
    found = []
    for one, a, two, e in itertools.product(CONSONANTS, VOWELS, CONSONANTS, VOWELS):
        places = (CONSONANTS.index(one), VOWELS.index(a), CONSONANTS.index(two), VOWELS.index(e))
        last = CONSONANTS[sum(places) % len(CONSONANTS)]
        word = f"{one}{a}{two}{e}{last}"
        if two not in (one, last) and not any(part in word for part in _UNFIT):
            found.append(word)
    many = 1 << BITS
    return tuple(found[k * len(found) // many] for k in range(many))


WORDS = _made()


def three(secret: bytes, poll_token: str, commitment: str) -> str:
    """The words of one request to pair: nobody without the server's secret can choose them."""
    told = f"words\n{poll_token}\n{commitment}".encode()
    number = int.from_bytes(hmac.digest(secret, told, hashlib.sha256)[:8], "big")
    mask = len(WORDS) - 1
    return " ".join(WORDS[number >> shift & mask] for shift in (0, BITS, 2 * BITS))
