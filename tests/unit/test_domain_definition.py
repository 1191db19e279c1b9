"""Production files: what they come to, and how their faults are told."""

from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType
from typing import Any

import pytest

from server.domain.definition import Definition, Faults, Limits, Plan, Policy, parse
from server.domain.match import Requirements
from vmagent.wire import codec, messages, statements
from vmagent.wire.frames import FRAME_MOST, HEAD
from vmagent.wire.jws import TEXT_MOST

SMALL = """
[production]
name = "z-pole"
events = 12_000
seed = 7
format = "lines"

[payload]
name = "zpole"
version = "1"
command = ["{python}", "zpole.py"]
"""
FULL = (
    SMALL
    + """mode = "directory"
granule = 10
block = 100
reference = 40
split = "lengths"
cores = 2

[inputs]
CARD = '''
[production]
beam = 1 # not a key
'''

[environment]
OMP_NUM_THREADS = "1"

[limits]
memory_mb = 4096
memory_mb_most = 8192
silence_s = 60

[policy]
quorum = 3
lease_s = 60.5

[requirements]
arch = ["x86_64"]
paths = ["/cvmfs/sft.cern.ch"]
sandbox = true
network = true
"""
)
PLOT = """
[plots.pions]
quantity = "pt"
particles = [211, -211]
bins = 3
low = 0
high = 1.5
reference = [0.5, 1, 1.5]
"""


def faults(text: str) -> list[str]:
    """Everything wrong with a file."""
    with pytest.raises(Faults) as caught:
        parse(text)
    return caught.value.faults


def one_fault(text: str) -> str:
    """The only thing wrong with a file."""
    found = faults(text)
    assert len(found) == 1, found
    return found[0]


def test_a_short_file_is_filled_up_with_defaults() -> None:
    found = parse(SMALL)
    assert (found.name, found.events, found.unit, found.seed) == ("z-pole", 12_000, 5000, 7)
    assert (found.format, found.description) == ("lines", "")
    assert found.payload.command == ("{python}", "zpole.py")
    assert (found.payload.mode, found.payload.granule, found.payload.reference) == ("pipe", 1, 20)
    assert found.limits == Limits()
    assert found.policy == Policy()
    assert found.requirements == Requirements()
    assert found.inputs == {} == found.environment


def test_a_full_file_says_everything() -> None:
    found = parse(FULL)
    assert found.inputs == {"CARD": "[production]\nbeam = 1 # not a key\n"}
    assert found.environment == {"OMP_NUM_THREADS": "1"}
    assert found.limits == Limits(memory_mb=4096, silence_s=60.0, memory_mb_most=8192)
    assert isinstance(found.limits.silence_s, float)
    assert found.policy == Policy(quorum=3, lease_s=60.5)
    assert found.requirements == Requirements(
        2, arch=("x86_64",), paths=("/cvmfs/sft.cern.ch",), sandbox=True, network=True
    )
    assert (found.payload.split, found.payload.reference) == ("lengths", 40)


def test_nothing_of_what_is_read_can_be_changed_as_it_is_handed_out_again() -> None:
    text = FULL.replace('"lines"', '"hepmc3"') + PLOT
    whole = parse(text)
    assert parse(text) is whole

    def check(value: object) -> None:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            with pytest.raises(dataclasses.FrozenInstanceError):
                value.name = "other"  # type: ignore[attr-defined]
            for one in dataclasses.fields(value):
                check(getattr(value, one.name))
        elif isinstance(value, MappingProxyType):
            assert value
            for each in value.values():
                check(each)
        elif isinstance(value, tuple):
            for each in value:
                check(each)
        else:
            assert value is None or isinstance(value, (str, int, float)), value

    check(whole)


def test_defaults_follow_granule_block_and_events() -> None:
    found = parse(SMALL + "granule = 30\nblock = 70\n")
    assert found.unit == 5040
    assert found.payload.reference == 30
    few = parse(SMALL.replace("12_000", "12"))
    assert (few.unit, few.payload.reference) == (5000, 12)
    vast = parse(SMALL + f"granule = 7\nblock = {2**62}\nreference = 0\n")
    assert vast.unit == 2**62
    assert vast.payload.reference == 0


def test_the_manifest_is_what_the_wire_says_it_is() -> None:
    found = parse(FULL)
    manifest = found.manifest("ab" * 32, 12.5)
    assert set(manifest) == {field.name for field in dataclasses.fields(statements.Manifest)}
    read = codec.decode(json.dumps(manifest), statements.Manifest)
    assert codec.plain(read) == manifest
    assert (read.payload, read.signed_at, read.v) == ("ab" * 32, 12.5, statements.Manifest.v)
    assert read.limits == statements.Limits(**dataclasses.asdict(found.limits))


def test_a_manifest_from_before_memory_could_be_raised_still_agrees() -> None:
    silent = parse(FULL.replace("memory_mb_most = 8192\n", ""))
    manifest = silent.manifest("ab" * 32, 12.5)
    assert "memory_mb_most" not in manifest["limits"]
    assert silent.disagreements(manifest) == []
    assert parse(FULL).disagreements(manifest) != [], "more memory is granted by signature only"


def test_a_bound_of_memory_is_not_below_what_is_asked_for() -> None:
    told = one_fault(SMALL + "[limits]\nmemory_mb = 2000\nmemory_mb_most = 1000\n")
    assert "write at least that, or leave it out" in told


def test_a_manifest_from_before_there_was_a_network_to_ask_for_still_agrees() -> None:
    silent = parse(FULL.replace("network = true", "network = false"))
    manifest = silent.manifest("ab" * 32, 12.5)
    assert "network" not in manifest
    assert silent.disagreements(manifest) == []
    assert codec.decode(json.dumps(manifest), statements.Manifest).network is False
    assert parse(FULL).disagreements(manifest) != [], "the network is asked for by signature only"


def test_limits_and_bounds_are_those_of_the_wire() -> None:
    assert dataclasses.asdict(Limits()) == dataclasses.asdict(statements.Limits())
    for mode in statements.MODES:
        assert parse(SMALL + f'mode = "{mode}"').payload.mode == mode
    assert parse(SMALL.replace("12_000", str(messages.EVENTS_MOST))).events == messages.EVENTS_MOST
    largest = FRAME_MOST - HEAD.size - 4
    assert "event_bytes" in one_fault(SMALL + f"[limits]\nevent_bytes = {largest + 1}")


def test_inputs_that_are_taken_fit_into_a_signed_manifest() -> None:
    found = parse(SMALL + f'[inputs]\nCARD = "{"x" * 2_499_980}"')
    assert len(json.dumps(found.manifest("", 0.0))) * 4 / 3 < TEXT_MOST
    told = one_fault(SMALL + f'[inputs]\nA = ""\nCARD = "{"x" * 2_500_000}"')
    assert told.startswith("line 14: the inputs have 25000")


def test_a_manifest_of_this_definition_has_no_disagreements() -> None:
    found = parse(FULL)
    assert found.disagreements(found.manifest("ab" * 32, 12.5)) == []


def test_every_difference_to_a_signed_manifest_is_told() -> None:
    found = parse(SMALL)
    manifest: dict[str, Any] = found.manifest("ab" * 32, 12.5) | {"events": 5, "more": 1}
    manifest["limits"] = manifest["limits"] | {"memory_mb": 1}
    del manifest["seed"]
    told = found.disagreements(manifest)
    assert told[0] == "events: the definition says 12000, the manifest 5"
    assert told[1] == "seed: the definition says 7, the manifest nothing"
    assert told[2].startswith("limits: the definition says {'memory_mb': 2048")
    assert told[3] == "more: the manifest says 1, the definition knows no such thing"
    assert len(told) == 4
    assert len(found.disagreements({})) == len(found.manifest("", 0.0))


def test_a_plan_counts_units_copies_bytes_and_hours() -> None:
    found: Definition = parse(FULL)
    assert found.plan(None, None) == Plan(3, 12_000, 36_000, None, None)
    assert found.plan(0.5, 100.4) == Plan(3, 12_000, 36_000, 3_614_400, 10.0)


def test_a_missing_key_is_told_at_its_section() -> None:
    assert one_fault(SMALL.replace("seed = 7\n", "")) == (
        "line 2: production.seed is missing; it is a whole number from 0 to 9223372036854775807; "
        "write for example seed = 1"
    )
    assert len(faults("")) == 7
    assert all(fault.startswith("line 1: ") for fault in faults(""))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("blok = 1", "payload.blok is not known; [payload] has name, "),
        ("blok = 1", "; did you mean block?"),
        ("events = 1", "; move it under [production]"),
        ("colour = 1", "; remove it"),
        ("granule = 0", "payload.granule is 0; it is a whole number from 1 to 1000000; write for"),
        ("granule = true", "payload.granule is true; it is a whole"),
        ("granule = 1.0", "payload.granule is 1.0; it is a whole"),
        ('mode = "pipes"', 'it is one of "pipe", "directory", "command"; write for example mode ='),
        ("mode = ['pipe']", 'payload.mode is ["pipe"]; it is one of'),
        ("reference = 20_000", "payload.reference is 20000; the reference is whole granules (1)"),
        ("cores = 1979-05-27", 'payload.cores is "1979-05-27"; it is'),
        ('split = "li\\nes"', 'payload.split is "li\\nes"; it is one of "", "lines", "lengths"'),
        ("cores = { a = 1 }", "payload.cores is a table; it is a whole number"),
        ("limits.memory_mb = 1", "payload.limits is not known"),
        ("[requirement]", "requirement is not a section; there are [production], [payload], "),
        ("[requirement]", "; did you mean requirements?"),
        ("[zzz]", "; remove it"),
        ("[[limits]]", "limits is [{}]; it is a section; write [limits] and its keys below it"),
        ("limits = 3", "payload.limits is not known"),
    ],
)
def test_what_is_wrong_on_a_line_is_told_with_rule_and_cure(line: str, told: str) -> None:
    fault = one_fault(SMALL + line)
    assert fault.startswith("line 12: ")
    assert told in fault


@pytest.mark.parametrize(
    ("lines", "number", "told"),
    [
        ('[inputs]\n1x = ""', 13, "inputs.1x is no name for one of the inputs; it is a letter"),
        ("[inputs]\n'a b' = ''", 13, "inputs.a b is no name"),
        ("[inputs]\nA = 1", 13, "inputs.A is 1; it is a text without zero bytes"),
        ('[inputs]\nA = "\\u0000"', 13, 'inputs.A is "\\u0000"; it is a text'),
        ('[inputs]\nCard = ""\nCARD = ""', 14, "inputs.CARD is taken; names differ in more than"),
        ('[environment]\nEVP_SEED = "1"', 13, "environment.EVP_SEED is no name"),
        ("[policy]\nlease_s = nan", 13, "policy.lease_s is nan; it is a number from 1 to"),
        ("[policy]\nlease_s = inf", 13, "policy.lease_s is inf"),
        ('[policy]\ncomparison = "histogram"', 13, 'it is one of "bitwise"'),
        ("[policy]\nquorum = 9", 12, "policy.most_copies is 8; a quorum of 9 takes as many"),
        ("[policy]\n\ndeadline_s = 60", 14, "it is not before the lease's 120 s; write at least"),
        ("cores = 2\n[requirements]\ncores = 1", 14, "the payload runs on 2 cores; write at least"),
        ("[requirements]\npaths = ['']", 13, 'requirements.paths is [""]; it is a list of folders'),
        ("[requirements]\narch = 'x'", 13, "requirements.arch is"),
    ],
)
def test_faults_of_other_sections_stand_on_their_lines(lines: str, number: int, told: str) -> None:
    fault = one_fault(SMALL + lines)
    assert fault.startswith(f"line {number}: ")
    assert told in fault


def test_a_unit_is_whole_granules_and_blocks_unless_it_holds_everything() -> None:
    odd = SMALL.replace("seed = 7", "seed = 7\nunit = 250")
    assert "write for example unit = 300" in one_fault(odd + "block = 100")
    assert "write for example unit = 252" in one_fault(odd + "granule = 3")
    assert one_fault(odd + "block = 100").startswith("line 6: production.unit is 250; a unit is ")
    assert parse(odd.replace("12_000", "250") + "block = 100").unit == 250


def test_a_unit_has_no_more_records_than_can_be_judged_at_once() -> None:
    many = SMALL.replace("12_000", "5_000_000\nunit = 4_000_000")
    assert "write at most unit = 1000000" in one_fault(many)
    assert parse(many + "granule = 4").unit == 4_000_000


def test_a_name_is_no_number_so_that_it_is_never_taken_for_an_id() -> None:
    for name in ("12", "", "A", "-a", "a" * 64, "a\\n"):
        assert one_fault(SMALL.replace("z-pole", name)).startswith("line 3: production.name is")
    assert parse(SMALL.replace("z-pole", "7tev")).name == "7tev"


def test_every_fault_is_told_at_once_in_the_order_of_lines() -> None:
    text = (
        SMALL.replace("12_000", "0").replace('"lines"', '"line"') + "unit = 5\n[policy]\nquorum=0"
    )
    assert [fault.split(":")[0] for fault in faults(text)] == [
        "line 4",
        "line 6",
        "line 12",
        "line 14",
    ]
    with pytest.raises(Faults, match=r"line 4: .*; line 6: "):
        parse(text)


def test_a_long_value_is_cut_when_it_is_shown() -> None:
    assert f'"{"x" * 56}...; it is' in one_fault(SMALL.replace("z-pole", "x" * 900))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\nb = = 2\n", "line 2: not TOML at column 5: Invalid value"),
        ("a = 1\na = 2\nb = 3", "line 2: not TOML at column 6: Cannot overwrite a value"),
        ("a = 1\n\nb", "line 3: not TOML: Expected '=' after a key"),
        ("a = " + "[" * 100_000, "line 1: not TOML: maximum recursion depth"),
        ("a = " + "9" * 5000, "line 1: not TOML: Exceeds the limit"),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(text: str, told: str) -> None:
    assert one_fault(text).startswith(told)


@pytest.mark.parametrize(
    ("low", "high"), [("0", "5e-324"), ("1e9", "1000000000.0000001"), ("1", "1")]
)
def test_a_plot_whose_bins_have_no_width_is_refused(low: str, high: str) -> None:
    text = SMALL.replace('"lines"', '"hepmc3"') + PLOT
    told = faults(text.replace("low = 0", f"low = {low}").replace("high = 1.5", f"high = {high}"))
    assert any("high" in one for one in told), told


def test_what_every_agent_refuses_is_refused_at_once() -> None:
    for name in ("PYTHONPATH", "PYTHONPATH_EXTRA", "WINDFALL_TOKEN", "EVP_SEED"):
        assert "are the agent's" in one_fault(SMALL + f'[environment]\n{name} = "x"')
    assert "from 1024" in one_fault(SMALL + "[limits]\nlog_bytes = 1023")
    assert parse(SMALL + "[limits]\nlog_bytes = 1024").limits.log_bytes == 1024
    assert "there already" in one_fault(SMALL + '[inputs]\nCARD = "x"\nCard = "y"')


def test_a_record_of_a_whole_granule_fits_into_a_frame() -> None:
    assert parse(SMALL).limits.event_bytes == Limits.event_bytes
    most = parse(SMALL + "granule = 1000\n").limits
    assert 1000 * most.event_bytes + HEAD.size + 4 <= FRAME_MOST
    said = one_fault(SMALL + f"granule = 1000\n[limits]\nevent_bytes = {most.event_bytes + 1}")
    assert f"write at most event_bytes = {most.event_bytes}" in said
