"""What patterns may be, and what they make of logs, also of such as were made to hurt."""

from __future__ import annotations

import dataclasses

import pytest

from server.domain.errors import BadInput
from server.domain.known import BUILT_IN
from server.domain.patterns import ELSEWHERE, Pattern, Scanner, check, faults

KNOWN = Scanner(BUILT_IN)

LOGS = {
    "memory-limit": ("", "memory"),
    "out-of-memory": ("terminate called after\n  what():  std::bad_alloc\n", "crashed"),
    "disk-limit": ("", "disk"),
    "disk-full": ("write failed: No space left on device", "crashed"),
    "cvmfs-missing": ("ls: /cvmfs/na61.cern.ch: No such file or directory", "crashed"),
    "library-missing": (
        "./shine: error while loading shared libraries: libCore.so.6.30: cannot open shared"
        " object file: No such file or directory",
        "crashed",
    ),
    "illegal-instruction": ("Illegal instruction (core dumped)", "crashed"),
    "network": ("[FATAL] Connection error: root://eospublic.cern.ch//x.root", "crashed"),
    "input-missing": (
        "[ERROR] Server responded with an error: [3011] No such file or directory",
        "crashed",
    ),
    "pythia-abort": ("PYTHIA Abort from Pythia::next: parton+hadronLevel failed", "crashed"),
    "segfault": (" *** Break *** segmentation violation", "crashed"),
    "aborted": ("a.out: t.cc:3: int main(): Assertion `x == 1' failed.", "crashed"),
    "limits": ("nothing", "hung"),
    "python": ("Traceback (most recent call last):\n  ...\nKeyError: 3", "crashed"),
    "output": ("", "output-missing"),
}


def pattern(regex: str, **facts: object) -> Pattern:
    made = Pattern("mine", regex, "payload", ELSEWHERE)
    return dataclasses.replace(made, **facts)  # type: ignore[arg-type]  # the test's own


def test_the_built_in_patterns_hold_the_rules_of_all() -> None:
    check(BUILT_IN)
    assert len({p.name for p in BUILT_IN}) == len(BUILT_IN)


@pytest.mark.parametrize("name", [p.name for p in BUILT_IN])
def test_every_built_in_pattern_knows_its_trouble(name: str) -> None:
    log, word = LOGS[name]
    found = KNOWN.scan(log, "any", word)
    assert found is not None
    assert found.pattern.name == name


def test_a_log_of_nothing_special_matches_nothing() -> None:
    log = "PYTHIA 8.317 starts\nprocessed 1000 events\nno error\nmemory used: 300 MB\n"
    assert KNOWN.scan(log, "pythia8") is None


def test_the_first_match_is_shown_with_its_surroundings() -> None:
    log = "".join(f"line {number}\n" for number in range(1, 100))
    found = Scanner([pattern("line 4[0-9]")]).scan(log, "x")
    assert found is not None
    assert (found.number, found.line) == (40, "line 40")
    assert found.around == "\n".join(f"line {number}" for number in range(35, 46))


def test_what_is_kept_of_a_log_is_bounded() -> None:
    log = "\n".join(["x" * 20_000, "found " + "y" * 20_000, "z" * 20_000])
    found = Scanner([pattern("found")]).scan(log, "x")
    assert found is not None
    assert (len(found.line), len(found.around) <= 4000) == (400, True)
    assert found.line.startswith("found yyy")


def test_only_the_end_of_a_log_is_read() -> None:
    log = "needle\n" + "hay\n" * 20_000
    assert Scanner([pattern("needle")]).scan(log, "x") is None


def test_rank_then_name_say_which_pattern_counts() -> None:
    one = pattern("error", name="b", rank=5)
    found = Scanner([pattern("err", name="z", rank=4), one, pattern("err", name="a", rank=5)])
    assert [f.pattern.name for f in found.matches("an error", "x")] == ["z", "a", "b"]


def test_a_pattern_of_one_payload_leaves_others_alone() -> None:
    scanner = Scanner([pattern("error", payload="pythia8")])
    assert scanner.scan("error", "shine") is None
    assert scanner.scan("error", "pythia8") is not None


def test_a_pattern_that_is_off_is_not_tried() -> None:
    assert Scanner([pattern("error", enabled=False)]).scan("error", "x") is None


@pytest.mark.parametrize(
    ("regex", "told"),
    [
        ("(", "missing"),
        ("(?=a)b", "look-around"),
        (r"(a)\1", "invalid escape"),
        ("a{1001}", "repetition"),
        ("(a{50}){50}b", "repetition"),
        ("[a-z]{1,900}z", "instructions"),
        ("x" * 1001, "1 to 1000 characters"),
        ("", "1 to 1000 characters"),
        ("a\nb", "one line"),
        ("a*", "matches an empty log"),
        ("\ud800", "RE2 does not take"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused_with_its_rule(regex: str, told: str) -> None:
    [fault] = faults(pattern(regex))
    assert fault.startswith("pattern 'mine': ")
    assert told in fault


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"name": "Mine!"}, "lower-case"),
        ({"kind": "strange"}, "one of payload"),
        ({"action": "panic"}, "one of retry-elsewhere"),
        ({"most": -1}, "0 to 1000"),
        ({"factor": 100.0}, "1.1 to 10"),
        ({"rank": 10**6}, "0 to 10000"),
        ({"note": "x" * 501}, "at most 500"),
    ],
)
def test_a_pattern_at_fault_is_refused_with_its_rule(facts: dict[str, object], told: str) -> None:
    [fault] = faults(pattern("error", **facts))
    assert told in fault


def test_all_faults_of_a_table_are_told_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        check([pattern("(", name="one"), pattern("a*", name="two", kind="none")])
    assert len(refused.value.faults) == 3


def test_a_table_that_is_too_large_as_a_whole_is_refused() -> None:
    many = [pattern("[a-z]{1,100}z", name=f"p{k}") for k in range(60)]
    with pytest.raises(BadInput, match="together they come to"):
        check(many)
    check([dataclasses.replace(one, enabled=False) for one in many])
    with pytest.raises(BadInput, match="at most 200"):
        check([pattern("a", name=f"p{k}", enabled=False) for k in range(201)])


def test_expressions_that_hang_other_engines_read_hostile_logs() -> None:
    scanner = Scanner([pattern("(x+x+)+y"), pattern("(a|aa)+$b", name="two")])
    assert scanner.scan("x" * 65_536 + "\n" + "a" * 60_000, "x") is None
