"""The agent's decisions when it is told to stop, drain, pause or go."""

from __future__ import annotations

import pytest

from tests.kit.agent_life import Life, of, state, taken
from vmagent import orders, stimuli
from vmagent.brain import REVOKED_CODE
from vmagent.plan import ANSWER_S, Rules
from vmagent.poller import POLL_MOST_S, again
from vmagent.wire import messages


def test_the_first_stop_lets_the_event_finish_and_gives_the_rest_back() -> None:
    life = Life(grace_s=8.0).running()
    assert of(orders.Finish, life.tell(stimuli.StopAsked())) == [orders.Finish(1, 8.0)]
    life.tell(stimuli.Spooled(1, 10))
    assert not of(orders.Exit, life.tell(stimuli.RunEnded(1, "stopped")))
    told = life.tell(stimuli.FrameTaken(1, state()))
    assert of(orders.Report, told)[0].report.outcome == "returned"
    assert of(orders.Exit, life.tell(stimuli.Reported(1))) == [orders.Exit(0)]


def test_a_stop_waits_no_longer_than_the_grace_for_the_server() -> None:
    life = Life(grace_s=8.0).running()
    life.tell(stimuli.Spooled(1, 10))
    life.tell(stimuli.StopAsked())
    life.tell(stimuli.RunEnded(1, "stopped"))
    assert not of(orders.Exit, life.tell(stimuli.Ticked(), Rules(grace_s=8.0).goodbye_s - 0.1))
    told = life.tell(stimuli.Ticked(), 0.2)
    assert of(orders.Exit, told)
    assert not of(orders.Forget, life.said), "the spool stays"


def test_the_second_stop_is_at_once() -> None:
    life = Life().running()
    life.tell(stimuli.StopAsked())
    told = life.tell(stimuli.StopAsked())
    assert of(orders.Kill, told)
    assert of(orders.Exit, told) == [orders.Exit(0)]
    assert life.tell(stimuli.Ticked(), 1) == [], "nothing is wanted after the exit"


def test_a_stop_gives_back_what_has_not_begun() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered((taken(),)))
    told = life.tell(stimuli.StopAsked())
    assert of(orders.Report, told)[0].report.outcome == "returned"


def test_leases_that_come_while_it_leaves_are_given_back() -> None:
    life = Life()
    life.tell(stimuli.Started())
    assert not of(orders.Exit, life.tell(stimuli.StopAsked())), "an answer is under way"
    told = life.tell(stimuli.AskAnswered((taken(),)))
    assert of(orders.Report, told)[0].report.reason == "leaving"
    assert of(orders.Exit, life.tell(stimuli.Reported(1)))


@pytest.mark.parametrize("leave", [stimuli.StopAsked(), stimuli.DrainAsked()])
def test_an_answer_that_does_not_come_holds_nobody_up(leave: stimuli.Stimulus) -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(leave)
    assert not of(orders.Exit, life.tell(stimuli.Ticked(), ANSWER_S - 0.1))
    assert of(orders.Exit, life.tell(stimuli.Ticked(), 0.2)) == [orders.Exit(0)]


def test_a_drain_finishes_the_work_in_hand_and_leaves() -> None:
    life = Life().running()
    told = life.tell(stimuli.DrainAsked())
    assert not of(orders.Finish, told)
    assert not of(orders.Ask, life.tell(stimuli.RunEnded(1, "done")))
    assert of(orders.Exit, life.tell(stimuli.Reported(1))) == [orders.Exit(0)]


def command(name: str, seq: int = 1, **args: str) -> stimuli.Commanded:
    return stimuli.Commanded((messages.Command(seq, name, args),))


def test_a_command_is_obeyed_once_and_remembered() -> None:
    life = Life().running()
    told = life.tell(command("suspend", 5))
    assert of(orders.Remember, told) == [orders.Remember(5, "suspend")]
    assert of(orders.Pause, told) == [orders.Pause(1)]
    assert life.tell(command("suspend", 5)) == []
    assert life.tell(command("stop", 4)) == []


def test_a_suspended_agent_takes_no_work_until_it_may_go_on() -> None:
    life = Life(slots=2).running()
    life.tell(stimuli.AskAnswered(retry_after=1.0))
    life.tell(command("suspend"))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 60))
    told = life.tell(command("resume", 2))
    assert of(orders.Resume, told) == [orders.Resume(1)]
    assert of(orders.Ask, told)


def test_drain_and_stop_come_as_commands_too() -> None:
    life = Life().running()
    life.tell(command("drain"))
    assert life.brain.leaving == "drain"
    assert of(orders.Finish, life.tell(command("stop", 2)))


def test_an_aborted_task_is_killed_and_forgotten() -> None:
    life = Life().running()
    told = life.tell(command("abort", task="1"))
    assert of(orders.Kill, told)
    assert of(orders.Forget, told)
    assert life.tell(command("abort", 2, task="no number"))


def test_keys_are_fetched_on_command() -> None:
    assert of(orders.RefreshKeys, Life().running().tell(command("refresh-keys")))


def test_a_revoked_host_stops_and_keeps_its_spool() -> None:
    life = Life().running()
    life.tell(stimuli.Spooled(1, 10))
    told = life.tell(stimuli.HostRevoked())
    assert of(orders.Kill, told)
    assert of(orders.Exit, told) == [orders.Exit(REVOKED_CODE)]
    assert not of(orders.Forget, told)


def test_an_idle_agent_leaves_when_it_may() -> None:
    life = Life(exit_when_idle_s=20.0)
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(retry_after=5.0))
    assert not of(orders.Exit, life.tell(stimuli.Ticked(), 19.0))
    assert of(orders.Exit, life.tell(stimuli.Ticked(), 2.0)) == [orders.Exit(0)]


def test_a_busy_agent_is_not_idle() -> None:
    life = Life(exit_when_idle_s=20.0).running()
    assert not of(orders.Exit, life.tell(stimuli.Ticked(), 100.0))


def test_the_end_of_its_lifetime_is_a_stop_in_time() -> None:
    life = Life(grace_s=10.0, lifetime_s=100.0).running()
    goodbye_s = life.brain.rules.goodbye_s
    assert not of(orders.Finish, life.tell(stimuli.Ticked(), 99.0 - goodbye_s))
    assert of(orders.Finish, life.tell(stimuli.Ticked(), 2.0))


def test_a_server_that_was_away_for_long_can_command_again_soon() -> None:
    assert all(again(failures) <= POLL_MOST_S for failures in range(50))
    assert again(3, retry_after=120.0) >= 120.0, "unless it wants to be left alone"
