"""What a person types and is shown when a machine is paired: keys, PINs, QR codes, screens."""

from __future__ import annotations

from dataclasses import replace

import pytest
import segno

from vmagent import errors, qr, screen, troubles
from vmagent.home import Identity
from vmagent.pairing import Attempt
from vmagent.typed import Interrupted, Line, pin_of
from vmagent.wire import pairing

ADDRESS = "https://windfall.example.org/pair/code?code=BCDF-GHJK"


def typed(keys: str, pin: bool = False, hidden: bool = False) -> tuple[Line, str]:
    """A line after these keys, and what stands on the screen then."""
    line, screen_now = Line(pin, hidden), ""
    for sign in keys:
        for shown in line.key(sign):
            screen_now = screen_now[:-1] if shown == "\b" else screen_now + shown
    return line, screen_now.rstrip(" ") if keys else screen_now


@pytest.mark.parametrize("keys", ["859116\r", "85 91 16\r", "85-91-16\n", " 85 9116 \r"])
def test_a_pin_is_shown_in_pairs_however_it_is_typed(keys: str) -> None:
    line, shown = typed(keys, pin=True)
    assert (line.text, shown.rstrip()) == ("859116", "85 91 16")
    assert line.done


@pytest.mark.parametrize(
    ("keys", "text", "shown"),
    [
        ("85\x7f6", "86", "86"),
        ("859\x7f\x7f7", "87", "87"),
        ("8591\x7f\x7f\x7f\x7f\x7f1", "1", "1"),
        ("8591\b\b\b16", "816", "81 6"),
        ("8591\x1512", "12", "12"),
        ("85\x1b[D\x1b[A91\x1bOH", "8591", "85 91"),
        ("\x1b[200~859116\x1b[201~", "859116", "85 91 16"),
    ],
)
def test_corrections_cursor_keys_and_pastes_leave_what_is_shown(
    keys: str, text: str, shown: str
) -> None:
    line, found = typed(keys, pin=True)
    # A step back over the blank between pairs leaves a blank that nobody sees.
    assert (line.text, found.replace("\a", "").rstrip()) == (text, shown)


def test_what_is_no_digit_or_one_too_many_rings_and_is_not_taken() -> None:
    line, shown = typed("8x5 91é1627", pin=True)
    assert line.text == "859116"
    assert shown.count("\a") == 4
    assert not line.done


def test_a_secret_shows_nothing_not_even_its_length() -> None:
    line, shown = typed("sécret; rm\x7f\x7fx\r", hidden=True)
    assert (line.text, shown) == ("sécret; x", "\n")


def test_end_of_input_counts_on_an_empty_line_alone_and_ctrl_c_always() -> None:
    assert typed("12\x04", pin=True)[0].done is False
    assert typed("\x04", pin=True)[0].ended
    with pytest.raises(Interrupted):
        typed("12\x03", pin=True)


@pytest.mark.parametrize(
    ("text", "pin"),
    [("85 91 16", "859116"), ("85-91-16", "859116"), ("859116", "859116"), ("85911", ""),
     ("8591160", ""), ("٨٥٩١١٦", ""), ("85911x", ""), ("", "")],
)  # fmt: skip
def test_a_pin_is_six_ascii_digits(text: str, pin: str) -> None:
    assert pin_of(text) == pin


def modules(text: str) -> list[str]:
    made = segno.make(text, micro=False)
    return ["".join("1" if dark else "0" for dark in row) for row in made.matrix]


def test_half_blocks_show_every_module_of_the_code() -> None:
    rows = modules(ADDRESS)
    side = len(rows) + 2 * qr.QUIET
    drawn = qr.draw(rows, 80, 25, plain=False)
    assert len(drawn) <= 25 - screen.BELOW
    halves = {sign: pair for pair, sign in qr.HALVES.items()}
    pairs = [[halves[sign] for sign in line] for line in drawn]
    light = [half for line in pairs for half in zip(*line, strict=True)][:side]
    inner = [row[qr.QUIET : -qr.QUIET] for row in light[qr.QUIET : -qr.QUIET]]
    assert ["".join("0" if one else "1" for one in row) for row in inner] == rows
    assert all(all(row) for row in (*light[: qr.QUIET], *light[-qr.QUIET :]))


def test_a_terminal_without_blocks_gets_blanks_in_reverse() -> None:
    rows = modules(ADDRESS)
    drawn = qr.draw(rows, 80, 100, plain=True)
    assert all(line.isascii() for line in drawn)
    found = []
    for line in drawn[qr.QUIET : -qr.QUIET]:
        modes = []
        for piece in line.split("\x1b[")[1:]:
            mode, _, blanks = piece.partition("m")
            modes += ["0" if mode == "7" else "1"] * (len(blanks) // 2)
        found.append("".join(modes)[qr.QUIET : -qr.QUIET])
    assert found == rows


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["101"] * 3,
        ["1" * 21] * 20,
        ["1" * 20 + "\x1b"] * 21,
        ["1" * 22] * 22,
        ["1" * 101] * 101,
    ],
)
def test_what_is_no_qr_code_is_not_drawn(rows: list[str]) -> None:
    assert qr.draw(rows, 1000, 1000, plain=False) == []


def test_a_code_that_does_not_fit_is_not_drawn() -> None:
    rows = modules(ADDRESS)
    assert qr.draw(rows, 30, 25, plain=False) == []
    assert qr.draw(rows, 80, 10, plain=False) == []


def test_a_code_its_qr_code_and_the_words_fit_on_one_screen() -> None:
    attempt = replace(ATTEMPT, uri=ADDRESS.partition("?")[0], qr=modules(ADDRESS))
    lines = screen.code(attempt, (80, 25), plain=False)
    assert len(lines) <= 25 - screen.BELOW
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "█" in text
    assert "B  C  D  F  -  G  H  J  K" in text
    for word in ("H A R B O U R", "V E L V E T", "T A N G E R I N E S", "confirm there"):
        assert word in text
    stacked = screen.code(attempt, (40, 25), plain=False)
    assert "█" not in "\n".join(stacked)
    assert "T A N G E R I N E S" in "\n".join(stacked)


EVIL = "\x1b[2J\x1b]0;x\x07\u202e\r"
ATTEMPT = Attempt(
    "https://x.example", "n", "p", "r", "b", words="harbour velvet tangerines",
    user_code="BCDF-GHJK", uri=f"https://x.example/{EVIL}",
)  # fmt: skip
IDENTITY = Identity("https://x.example", 7, "wfh_secret", f"ann{EVIL}", f"vm{EVIL}" + "y" * 200)
CONTEXT = pairing.MachineContext("a" * 32, 3, f"batch{EVIL}")


def test_every_screen_fits_eighty_columns_and_shows_nothing_that_a_terminal_obeys() -> None:
    screens = [
        screen.head("3f2a9c54-17d0-4e56-8b1c-0123456789ab"),
        screen.how_to("https://windfall.example.org", "/pair"),
        screen.words(ATTEMPT),
        screen.code(ATTEMPT, (80, 25), True),
        screen.paired(IDENTITY, "0123456789abcdef", CONTEXT),
        screen.owned(IDENTITY, f"working{EVIL}"),
        screen.context("kept", "", f"not applied{EVIL}" + "z" * 300),
        screen.trouble(troubles.of(errors.NetworkDown(EVIL + "w" * 500))),
        [screen.pending(300)],
    ]
    for lines in screens:
        assert [line for line in lines if len(line) > 79] == []
        assert all(line.isprintable() for line in lines), lines
        assert not any("wfh_" in line for line in lines)


def test_a_context_and_its_outcome_are_told_in_words() -> None:
    told = "\n".join(screen.paired(IDENTITY, "k", CONTEXT))
    assert "revision 3" in told
    assert "NOT applied" in "\n".join(screen.context("kept", "", "only root can do that"))
    assert "recontextualize" in "\n".join(screen.context("locked", "", ""))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.NetworkDown("NewConnectionError: [Errno 111] Connection refused"), "nothing answ"),
        (errors.NetworkDown("NameResolutionError: x"), "name is not known"),
        (errors.NetworkDown("Network is unreachable"), "no network"),
        (errors.NetworkDown("ReadTimeoutError"), "does not answer"),
        (errors.NoTls("x"), "does not speak HTTPS"),
        (errors.CertificateRefused("x: certificate has expired (_ssl.c)"), "clock says"),
        (errors.CertificateRefused("x: certificate is not yet valid"), "clock says"),
        (errors.CertificateRefused("x: self-signed certificate"), "--ca FILE"),
        (errors.ServerBusy("429 too-many: x", 600, "too-many"), "10 minutes"),
        (errors.ServerBusy("429 x: x", 60, pairing.PINS_LOCKED), "Pair with a code"),
        (errors.ServerBusy("503 x: x", 5, "unavailable"), "5 seconds"),
        (errors.RequestRefused(404, "not-found", "x"), "does not pair machines"),
        (errors.ProtocolUnknown("it speaks 9"), "same protocol"),
        (errors.AnswerUnreadable("html"), "not Windfall"),
        (errors.Untrusted("altered", "a key", "no"), "not to be believed"),
        (errors.Locked("/x"), "Another windfall-agent"),
        (errors.CollectedAlready("x"), "owner was told"),
        (errors.PairingOver("x"), "PIN was not right"),
    ],
)
def test_every_trouble_has_a_name_and_a_cure(error: Exception, says: str) -> None:
    found = troubles.of(error)
    assert found.cure
    assert says in " ".join(" ".join(screen.trouble(found)).split())
