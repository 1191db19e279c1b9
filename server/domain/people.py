"""What an account may be called, and what may stand in its profile: rules, pure."""

from __future__ import annotations

import re
import unicodedata

PASSWORD_MOST = 1000
"""Characters; a hash costs as much for what is longer, but somebody has to carry it."""

EMAIL_MOST = 254  # characters, RFC 5321 4.5.3.1.3
FULL_NAME_MOST = 100
TITLE_MOST = 200
_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESERVED = frozenset(
    {
        *("admin", "administrator", "root", "system", "server", "windfall", "staff", "support"),
        *("operator", "manager", "security", "postmaster", "webmaster", "hostmaster", "abuse"),
        *("anonymous", "nobody", "everybody"),
    }
)
"""Names by which somebody would be taken for who runs the site; nobody gives them to himself."""
# What a mail server would take, and nothing that ends a header line or begins another address.
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*"
)
# The head of every list of leaked passwords, of those that are long enough to be taken at all.
COMMONPLACE = frozenset(
    {
        *("1234567890", "12345678910", "0123456789", "0987654321", "1111111111", "0000000000"),
        *("1q2w3e4r5t", "1q2w3e4r5t6y", "q1w2e3r4t5", "qwertyuiop", "qwerty12345", "qwerty123456"),
        *("password12", "password123", "password1234", "passw0rd123", "mypassword", "iloveyou12"),
        *("administrator", "welcome123", "changeme123", "letmein123", "abcdefghij", "abcd123456"),
        *(
            "correcthorsebatterystaple",
            "windfallwindfall",
            "1234512345",
            "asdfghjkl1",
            "zaq12wsxcde",
        ),
    }
)


def looks_like(name: str) -> str:
    """What names have in common that are taken for each other: `Owls`, `OWLS.` and `o w l s`.

    Compatibility forms, case, accents and everything that is no letter or digit do not count
    (Unicode TR 36, "Unicode Security Considerations").
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(sign for sign in plain if sign.isalnum())


def is_of_one_alphabet(name: str) -> bool:
    """Whether no letters are mixed of alphabets that have letters of the same looks."""
    plain = unicodedata.normalize("NFKC", name)
    found = {unicodedata.name(sign, "").partition(" ")[0] for sign in plain if sign.isalpha()}
    return len(found & _ALIKE) <= 1


def name_faults(name: str) -> list[str]:
    """Why an account cannot be called so."""
    if NAME.fullmatch(name):
        return []
    return [f"name {name[:80]!r}: 1 to 64 letters (a to z), digits, - and _"]


def email_faults(email: str) -> list[str]:
    """Why this is no e-mail address."""
    if len(email) <= EMAIL_MOST and _EMAIL.fullmatch(email):
        return []
    return [f"email {email[:80]!r}: an address as in name@example.org"]


def full_name_faults(full_name: str) -> list[str]:
    """Why nobody can be called so."""
    if len(full_name) <= FULL_NAME_MOST and full_name.isprintable():
        return []
    return [f"full_name: at most {FULL_NAME_MOST} characters, all of them printable"]


def group_faults(name: str, title: str) -> list[str]:
    """Why a group cannot be called so."""
    faults = []
    if not GROUP.fullmatch(name):
        faults.append(
            f"name {name[:80]!r}: 1 to 64 letters (a to z), digits, dots, - and _,"
            " a letter or digit first"
        )
    if len(title) > TITLE_MOST or not title.isprintable():
        faults.append(f"title: at most {TITLE_MOST} characters, all of them printable")
    return faults


def password_faults(password: str, least: int, *known: str) -> list[str]:
    """Why this cannot be a password; ``known`` is what anybody knows of its owner.

    Length counts, and that it stands in no list; no mixture of kinds (NIST SP 800-63B 3.1.1.2).
    """
    if len(password) < least:
        return [f"password: at least {least} characters; three or four words do well"]
    if len(password) > PASSWORD_MOST:
        return [f"password: at most {PASSWORD_MOST} characters"]
    plain = password.strip().lower()
    named = {word.lower() for word in known if word}
    named |= {word.partition("@")[0] for word in named}
    if plain in COMMONPLACE or plain in named or len(set(plain)) < 4:
        return ["password: this is among the first that anybody would try; choose another"]
    return []
