"""The agent's decisions to rest, to leave, and after the machine slept."""

from __future__ import annotations

import pytest

from tests.kit.agent_life import Life, M, of, state, taken
from vmagent import orders, stimuli
from vmagent.plan import Rules
from vmagent.wire import messages
from vmagent.wishes import DRAIN, NONE, REST, STOP, SUSPEND, USEFUL_S


def command(name: str, seq: int = 1, **args: str) -> stimuli.Commanded:
    return stimuli.Commanded((messages.Command(seq, name, args),))


def beats(told: list[orders.Order]) -> list[tuple[str, str]]:
    return [(beat.doing, beat.why) for beat in of(orders.Heartbeat, told)]


def test_a_wish_to_suspend_freezes_and_its_end_lets_go_on() -> None:
    life = Life().running()
    told = life.tell(stimuli.Wished(SUSPEND, "on-battery"))
    assert of(orders.Pause, told) == [orders.Pause(1)]
    assert beats(told) == [("suspended", "on-battery")]
    assert (life.brain.doing, life.brain.why) == ("suspended", "on-battery")
    life.tell(stimuli.HeartbeatTaken())
    told = life.tell(stimuli.Wished(NONE))
    assert of(orders.Resume, told) == [orders.Resume(1)]
    assert beats(told) == [("", "")]


def test_a_server_is_told_of_a_rest_though_nothing_is_in_hand() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(retry_after=60.0))
    assert beats(life.tell(stimuli.Wished(REST, "outside-hours"))) == [("resting", "outside-hours")]
    life.tell(stimuli.HeartbeatTaken())
    assert beats(life.tell(stimuli.Ticked(), 300.0)) == [], "once is enough"


def test_both_who_suspended_it_have_to_let_it_go() -> None:
    life = Life().running()
    life.tell(command("suspend"))
    life.tell(stimuli.Wished(SUSPEND, "memory-short"))
    assert not of(orders.Resume, life.tell(command("resume", 2)))
    assert of(orders.Resume, life.tell(stimuli.Wished(NONE)))


def test_a_rest_gives_everything_back_and_ends_with_new_work() -> None:
    life = Life(slots=2, grace_s=8.0).running(taken(1), taken(2, last=50))
    life.tell(stimuli.AskAnswered((taken(3),)))
    told = life.tell(stimuli.Wished(REST, "outside-hours"))
    assert of(orders.Finish, told) == [orders.Finish(1, 8.0), orders.Finish(2, 8.0)]
    assert of(orders.Report, told)[0].report.outcome == "returned"
    for task in (1, 2):
        life.tell(stimuli.RunEnded(task, "stopped"))
        life.tell(stimuli.Reported(task))
    life.tell(stimuli.Reported(3))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 999.0))
    assert not of(orders.Exit, life.said)
    assert of(orders.Ask, life.tell(stimuli.Wished(NONE)))


def test_leases_that_come_while_it_rests_are_given_back() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.Wished(REST, "outside-hours"))
    told = life.tell(stimuli.AskAnswered((taken(),)))
    assert of(orders.Report, told)[0].report == messages.ReportRequest("returned", "resting")


def test_what_is_frozen_is_let_go_before_it_may_finish() -> None:
    life = Life().running()
    life.tell(stimuli.Wished(SUSPEND, "on-battery"))
    told = life.tell(stimuli.StopAsked())
    kinds = [type(order) for order in told if isinstance(order, (orders.Resume, orders.Finish))]
    assert kinds == [orders.Resume, orders.Finish]
    assert not of(orders.Pause, life.tell(stimuli.Ticked(), 1.0)), "and not frozen again"


def test_the_owners_share_freezes_and_thaws_what_runs_and_what_probes() -> None:
    life = Life(slots=2).running()
    life.tell(stimuli.AskAnswered(probes=(M,)))
    told = life.tell(stimuli.Throttled(True))
    assert of(orders.Pause, told)
    assert of(orders.PauseProbe, told)
    told = life.tell(stimuli.Throttled(False))
    assert of(orders.Resume, told)
    assert of(orders.ResumeProbe, told)
    assert life.brain.why == "", "and that is no rest"


def test_a_finish_has_all_the_time_and_a_stop_after_it_has_not() -> None:
    life = Life(grace_s=8.0).running()
    (finish,) = of(orders.Finish, life.tell(stimuli.FinishAsked("sigusr1")))
    assert finish.seconds > 1e6
    assert not of(orders.Exit, life.tell(stimuli.Ticked(), 3600.0))
    assert of(orders.Finish, life.tell(stimuli.StopAsked("sigterm"))) == [orders.Finish(1, 8.0)]
    assert life.brain.reason == "sigterm"
    assert of(orders.Exit, life.tell(stimuli.StopAsked()))


@pytest.mark.parametrize(("in_s", "grace_s"), [(1000.0, 8.0), (6.0, 3.0), (0.0, 0.0), (-50.0, 0.0)])
def test_a_stop_fits_the_time_there_is(in_s: float, grace_s: float) -> None:
    life = Life(grace_s=8.0).running()
    told = life.tell(stimuli.Wished(STOP, "spot-interruption", life.now + in_s))
    assert of(orders.Finish, told) == [orders.Finish(1, grace_s)]
    goodbye_s = max(0.0, min(in_s, Rules(grace_s=8.0).goodbye_s))
    assert of(orders.Exit, life.tell(stimuli.Ticked(), goodbye_s + 0.1))


def test_it_asks_for_the_time_to_the_nearest_end_less_its_farewell() -> None:
    life = Life(grace_s=8.0, lifetime_s=5000.0)
    goodbye_s = Rules(grace_s=8.0).goodbye_s
    assert of(orders.Ask, life.tell(stimuli.Started())) == [orders.Ask(1, 5000.0 - goodbye_s)]
    life.tell(stimuli.Wished(NONE, by=life.now + 1000.0))
    told = life.tell(stimuli.AskAnswered(retry_after=100.0))
    told = life.tell(stimuli.Ticked(), 100.0)
    assert of(orders.Ask, told) == [orders.Ask(1, 900.0 - goodbye_s)]


def test_it_does_not_ask_for_less_than_is_useful() -> None:
    life = Life(grace_s=8.0)
    goodbye_s = Rules(grace_s=8.0).goodbye_s
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(retry_after=1.0))
    life.tell(stimuli.Wished(NONE, by=life.now + goodbye_s + USEFUL_S + 5.0))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 5.1))
    assert of(orders.Ask, life.tell(stimuli.Wished(NONE))), "the end was called off"


def test_a_drain_that_is_wished_ends_after_the_work_in_hand() -> None:
    life = Life().running()
    life.tell(stimuli.Wished(DRAIN, "spot-rebalance"))
    assert life.brain.doing == "draining"
    life.tell(stimuli.RunEnded(1, "done"))
    assert of(orders.Exit, life.tell(stimuli.Reported(1)))


def test_a_switch_off_is_obeyed_told_and_outlives_the_agent() -> None:
    life = Life(grace_s=8.0).running()
    told = life.tell(command("stop", 7, stay="1", grace_s="2"))
    assert told[0] == orders.Remember(7, "stop")
    assert of(orders.Finish, told) == [orders.Finish(1, 2.0)]
    assert not of(orders.Release, told)
    life.tell(stimuli.RunEnded(1, "stopped"))
    told = life.tell(stimuli.Reported(1))
    assert of(orders.Release, told) == [orders.Release(7)]
    assert not of(orders.Exit, life.said)
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 999.0))
    assert of(orders.Ask, life.tell(command("resume", 8)))
    again = Life()
    assert not of(orders.Ask, again.tell(stimuli.Started((), 7, "stop")))


def test_who_could_not_tell_that_it_is_released_tells_it_later() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(retry_after=60.0))
    assert of(orders.Release, life.tell(command("stop", 7, stay="1", grace_s="2")))
    life.tell(stimuli.ReleaseFailed(7, jitter=0.5))
    assert of(orders.Release, life.tell(stimuli.Ticked(), 60.0)) == [orders.Release(7)]
    life.tell(command("resume", 8))
    life.tell(stimuli.ReleaseFailed(7))
    assert not of(orders.Release, life.tell(stimuli.Ticked(), 60.0))


def test_a_farm_that_drains_has_its_grace_for_the_work_in_hand() -> None:
    life = Life(grace_s=8.0).running()
    assert not of(orders.Finish, life.tell(command("drain", 7, stay="1", grace_s="60")))
    assert not of(orders.Finish, life.tell(stimuli.Ticked(), 59.0))
    assert of(orders.Finish, life.tell(stimuli.Ticked(), 2.0)) == [orders.Finish(1, 8.0)]


def test_a_suspended_farm_is_released_as_soon_as_all_is_paused() -> None:
    told = Life().running().tell(command("suspend", 7, grace_s="2"))
    order = [type(one) for one in told if isinstance(one, (orders.Pause, orders.Release))]
    assert order == [orders.Pause, orders.Release]


@pytest.mark.parametrize("word", ["1e9", "-1", "nan", "soon", "9" * 400])
def test_a_grace_that_is_none_is_passed_over(word: str) -> None:
    life = Life(grace_s=8.0).running()
    assert of(orders.Finish, life.tell(command("stop", grace_s=word))) == [orders.Finish(1, 8.0)]


def test_after_a_sleep_the_server_is_asked_before_payloads_go_on() -> None:
    life = Life().running()
    told = life.tell(stimuli.Woke("slept", 3600.0), 3600.0)
    assert of(orders.Reconnect, told)
    assert of(orders.Pause, told) == [orders.Pause(1)]
    assert of(orders.Heartbeat, told)[0].tasks == (messages.Progress(1, 0),)
    life.tell(stimuli.TaskTold(state()))
    assert of(orders.Resume, life.tell(stimuli.HeartbeatTaken())) == [orders.Resume(1)]


def test_a_lease_that_was_lost_in_a_sleep_is_not_worked_at_again() -> None:
    life = Life().running()
    life.tell(stimuli.Woke("slept", 3600.0), 3600.0)
    told = life.tell(stimuli.TaskTold(state("expired")))
    told += life.tell(stimuli.HeartbeatTaken())
    assert of(orders.Kill, told) == [orders.Kill(1)]
    life.tell(stimuli.RunEnded(1, "stopped"))
    assert not of(orders.Report, life.said)


def test_an_answer_from_before_the_sleep_says_nothing() -> None:
    life = Life().running()
    assert of(orders.Heartbeat, life.tell(stimuli.Ticked(), 60.0))
    told = life.tell(stimuli.Woke("slept", 3600.0), 3600.0)
    assert not of(orders.Heartbeat, told), "one is under way still"
    told = life.tell(stimuli.HeartbeatTaken())
    assert not of(orders.Resume, told)
    assert of(orders.Heartbeat, told)
    assert of(orders.Resume, life.tell(stimuli.HeartbeatTaken()))


def test_while_the_server_is_away_after_a_sleep_payloads_wait() -> None:
    life = Life().running()
    life.tell(stimuli.Woke("slept", 3600.0), 3600.0)
    assert not of(orders.Resume, life.tell(stimuli.HeartbeatFailed(jitter=0.5)))
    told = life.tell(stimuli.Ticked(), 30.0)
    assert of(orders.Heartbeat, told)
    assert not of(orders.Resume, told)


def test_a_new_address_makes_new_connections_and_freezes_nothing() -> None:
    life = Life().running()
    life.tell(stimuli.AskFailed(jitter=0.9))
    told = life.tell(stimuli.Woke("address-changed"))
    assert of(orders.Reconnect, told)
    assert of(orders.Heartbeat, told)
    assert not of(orders.Pause, told)


def test_other_settings_let_it_begin_anew_and_any_order_to_go_counts_for_more() -> None:
    life = Life().running()
    life.tell(stimuli.SettingsChanged())
    assert (life.brain.anew, life.brain.doing, life.brain.why) == (True, "stopping", "settings")
    again = Life().running()
    again.tell(stimuli.SettingsChanged())
    told = again.tell(stimuli.StopAsked("sigterm"))
    assert of(orders.Exit, told) == [], "the first stop is no second one"
    assert (again.brain.anew, again.brain.why) == (False, "sigterm")
    for leave in (
        stimuli.FinishAsked(),
        stimuli.DrainAsked(),
        command("stop"),
        command("drain"),
        stimuli.Wished(STOP, "spot-interruption", 2000.0),
        stimuli.HostRevoked(),
    ):
        other = Life().running()
        other.tell(stimuli.SettingsChanged())
        other.tell(leave)
        assert not other.brain.anew, leave
    leaving = Life().running()
    leaving.tell(stimuli.StopAsked("sigterm"))
    leaving.tell(stimuli.SettingsChanged())
    assert not leaving.brain.anew


@pytest.mark.parametrize(("name", "what"), [("recontextualize", "context"), ("limits", "limits")])
def test_a_command_that_is_news_is_owed_once(name: str, what: str) -> None:
    life = Life()
    life.tell(stimuli.Started())
    told = life.tell(command(name))
    assert of(orders.Owe, told) == [orders.Owe(what)]
    assert of(orders.Remember, told) == [orders.Remember(1)]
    assert of(orders.Owe, life.tell(command(name))) == []


def test_a_machine_that_was_taken_away_kills_what_runs_at_once() -> None:
    life = Life().running()
    told = life.tell(stimuli.HostRevoked(unmanaged=True))
    assert of(orders.Kill, told) == [orders.Kill(1)]
    assert of(orders.Exit, told) == [orders.Exit(14)]
