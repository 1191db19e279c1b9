"""The agent's decisions at work, without clock, chance or network."""

from __future__ import annotations

from tests.kit.agent_life import OTHER, Life, M, of, state, taken
from vmagent import orders, stimuli
from vmagent.brain import BARRED_S
from vmagent.wire import messages


def test_an_agent_with_free_slots_asks_for_as_many() -> None:
    assert Life(slots=3).tell(stimuli.Started()) == [orders.Ask(3)]


def test_it_asks_once_until_it_is_answered() -> None:
    life = Life()
    life.tell(stimuli.Started())
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 100))


def test_it_does_not_ask_while_it_has_work_in_hand_that_has_not_begun() -> None:
    life = Life(slots=2)
    life.tell(stimuli.Started())
    told = life.tell(stimuli.AskAnswered((taken(),)))
    assert told == [orders.Prepare(1)]
    told = life.tell(stimuli.Prepared(1))
    assert of(orders.Start, told) == [orders.Start(1, 0)]
    assert of(orders.Ask, told) == [orders.Ask(1)]


def test_a_full_agent_does_not_ask() -> None:
    life = Life().running()
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 1000))


def test_a_task_of_many_cores_waits_for_them() -> None:
    life = Life(slots=2)
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered((taken(1), taken(2))))
    assert of(orders.Start, life.tell(stimuli.Prepared(1)))
    assert not of(orders.Start, life.tell(stimuli.Prepared(2, cores=2)))
    told = life.tell(stimuli.RunEnded(1, "done"))
    assert of(orders.Start, told) == [orders.Start(2, 0)]


def test_a_slot_with_the_same_payload_ready_is_taken_first() -> None:
    life = Life(slots=2)
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered((taken(1, M), taken(2, OTHER))))
    life.tell(stimuli.Prepared(1))
    life.tell(stimuli.Prepared(2))
    life.tell(stimuli.RunEnded(1, "done"))
    life.tell(stimuli.RunEnded(2, "done"))
    life.tell(stimuli.AskAnswered((taken(3, OTHER),)))
    assert of(orders.Start, life.tell(stimuli.Prepared(3))) == [orders.Start(3, 1)]


def test_a_failed_ask_waits_with_full_jitter_and_longer_each_time() -> None:
    life = Life()
    life.tell(stimuli.Started())
    assert not of(orders.Ask, life.tell(stimuli.AskFailed(jitter=0.5)))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 0.49))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 0.02))
    life.tell(stimuli.AskFailed(jitter=0.5))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 0.9))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 0.2))


def test_retry_after_is_the_least_it_waits() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskFailed(jitter=0.0, retry_after=60.0))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 59.9))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 0.2))


def test_without_work_it_asks_again_when_the_server_says() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(retry_after=30.0))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 29.0))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 2.0))


def test_after_refused_leases_it_waits_before_it_asks_again() -> None:
    life = Life()
    life.tell(stimuli.Started())
    assert not of(orders.Ask, life.tell(stimuli.AskAnswered(refused=1, jitter=0.5)))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 1.0))


def test_a_task_not_to_be_believed_is_given_back_by_the_reason() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered((taken(),)))
    told = life.tell(stimuli.Unprepared(1, "altered"))
    report = of(orders.Report, told)[0].report
    assert (report.outcome, report.reason) == ("returned", "refused-altered")


def test_a_task_is_reported_only_when_all_its_frames_are_held() -> None:
    life = Life().running()
    life.tell(stimuli.Spooled(1, 60))
    life.tell(stimuli.Spooled(1, 40))
    life.tell(stimuli.FrameTaken(1, state()))
    assert not of(orders.Report, life.tell(stimuli.RunEnded(1, "done")))
    told = life.tell(stimuli.FrameTaken(1, state()))
    assert of(orders.Report, told)[0].report.outcome == "delivered"
    assert of(orders.Forget, life.tell(stimuli.Reported(1))) == [orders.Forget(1)]


def test_an_acknowledgement_may_overtake_the_news_of_its_frame() -> None:
    life = Life().running()
    life.tell(stimuli.FrameTaken(1, state()))
    life.tell(stimuli.Spooled(1, 100))
    assert of(orders.Report, life.tell(stimuli.RunEnded(1, "done")))


def test_a_frame_held_whole_by_the_server_does_not_swallow_the_report() -> None:
    life = Life().running()
    life.tell(stimuli.Spooled(1, 100))
    life.tell(stimuli.RunEnded(1, "done"))
    told = life.tell(stimuli.FrameTaken(1, state("delivered")))
    assert of(orders.Report, told)[0].report.outcome == "delivered"


def test_a_crash_is_reported_and_the_next_ask_waits() -> None:
    life = Life().running()
    failure = messages.EventFailure(7, 8, "crashed")
    told = life.tell(stimuli.RunEnded(1, "crashed", failures=(failure,), log="x", jitter=0.9))
    report = of(orders.Report, told)[0].report
    assert (report.outcome, report.reason, report.failures) == ("failed", "crashed", [failure])
    assert report.log == "x"
    assert not of(orders.Ask, told)
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 1.0))


def test_a_report_that_does_not_get_through_is_sent_again_later() -> None:
    life = Life().running()
    life.tell(stimuli.RunEnded(1, "done"))
    life.tell(stimuli.CallFailed(1, jitter=0.5))
    told = life.tell(stimuli.Ticked(), 1.0)
    assert of(orders.Report, told)[0].task == 1


def test_a_task_found_on_disk_is_asked_about_before_anything_else() -> None:
    life = Life()
    assert life.tell(stimuli.Started((taken(),))) == [orders.Inquire(1)]


def test_a_found_task_still_ours_goes_on() -> None:
    life = Life()
    life.tell(stimuli.Started((taken(),)))
    told = life.tell(stimuli.Inquired(state(), unsent=2, missing=40))
    assert of(orders.Prepare, told) == [orders.Prepare(1)]
    assert of(orders.Start, life.tell(stimuli.Prepared(1)))


def test_a_found_task_with_nothing_missing_is_sent_and_reported() -> None:
    life = Life()
    life.tell(stimuli.Started((taken(),)))
    life.tell(stimuli.Inquired(state(), unsent=1, missing=0))
    told = life.tell(stimuli.FrameTaken(1, state()))
    assert of(orders.Report, told)[0].report.outcome == "delivered"


def test_the_frames_of_an_expired_task_are_sent_and_then_it_is_forgotten() -> None:
    life = Life()
    life.tell(stimuli.Started((taken(),)))
    told = life.tell(stimuli.Inquired(state("expired"), unsent=1, missing=50))
    assert not of(orders.Prepare, told)
    told = life.tell(stimuli.FrameTaken(1, state("expired")))
    assert of(orders.Forget, told) == [orders.Forget(1)]
    assert not of(orders.Report, life.said)


def test_a_found_task_that_is_gone_is_dropped() -> None:
    life = Life()
    life.tell(stimuli.Started((taken(),)))
    told = life.tell(stimuli.Inquired(state("gone"), unsent=3, missing=50))
    assert of(orders.Forget, told) == [orders.Forget(1)]


def test_a_running_task_that_is_withdrawn_is_killed_and_forgotten() -> None:
    life = Life().running()
    told = life.tell(stimuli.TaskTold(state("withdrawn")))
    assert of(orders.Kill, told) == [orders.Kill(1)]
    assert of(orders.Forget, told) == [orders.Forget(1)]


def test_a_running_task_that_expired_is_ended_but_its_frames_still_go() -> None:
    life = Life().running()
    life.tell(stimuli.Spooled(1, 10))
    assert of(orders.Kill, life.tell(stimuli.TaskTold(state("expired"))))
    assert not of(orders.Forget, life.tell(stimuli.RunEnded(1, "stopped")))
    assert of(orders.Forget, life.tell(stimuli.FrameTaken(1, state("expired"))))
    assert not of(orders.Report, life.said)


def test_a_range_that_shrinks_is_trimmed_once() -> None:
    life = Life().running()
    assert of(orders.Trim, life.tell(stimuli.TaskTold(state(last=60)))) == [orders.Trim(1, 60)]
    assert not of(orders.Trim, life.tell(stimuli.TaskTold(state(last=60))))


def test_frames_nobody_takes_end_their_task() -> None:
    life = Life().running()
    told = life.tell(stimuli.FrameRefused(1, "production-over"))
    assert of(orders.Kill, told)
    assert of(orders.Forget, told)
    assert of(orders.Ask, told)


def test_a_full_disk_stops_the_asking_and_room_starts_it_again() -> None:
    life = Life(slots=2).running()
    life.tell(stimuli.AskAnswered(retry_after=1.0))
    said = of(orders.Say, life.tell(stimuli.DiskChanged(True)))
    assert [one.action for one in said] == ["disk-full"]
    assert life.tell(stimuli.DiskChanged(True)) == [], "it is said once"
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 60))
    assert of(orders.Ask, life.tell(stimuli.DiskChanged(False)))


def test_a_manifest_is_probed_in_a_slot_and_then_work_is_asked_for() -> None:
    life = Life()
    life.tell(stimuli.Started())
    told = life.tell(stimuli.AskAnswered(probes=(M,)))
    assert of(orders.Probe, told) == [orders.Probe(M, 0)]
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 60))
    assert of(orders.Ask, life.tell(stimuli.Probed(M)))


def test_a_probe_that_fails_is_tried_again_a_few_times_and_then_let_be() -> None:
    life = Life()
    life.tell(stimuli.Started())
    probes = len(of(orders.Probe, life.tell(stimuli.AskAnswered(probes=(M,)))))
    for _ in range(20):
        life.tell(stimuli.ProbeFailed(M, jitter=0.5))
        probes += len(of(orders.Probe, life.tell(stimuli.Ticked(), 400)))
    assert probes == 5


def test_an_agent_with_a_slot_to_spare_does_not_ask_in_a_circle_while_it_probes() -> None:
    life = Life(slots=2)
    asks = len(of(orders.Ask, life.tell(stimuli.Started())))
    for _ in range(500):
        told = life.tell(stimuli.AskAnswered(probes=(M,)), 0.005)
        asks += len(of(orders.Ask, told)) + len(of(orders.Ask, life.tell(stimuli.Ticked(), 0.005)))
    assert len(of(orders.Probe, life.said)) == 1
    assert asks <= 3
    assert of(orders.Ask, life.tell(stimuli.Probed(M))), "and when it is done it asks at once"


def test_a_probe_that_failed_holds_up_its_own_manifest_alone() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(probes=(M,)))
    assert not of(orders.Ask, life.tell(stimuli.ProbeFailed(M, jitter=0.9, told=True)))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 1.0)), "others may have work"
    told = life.tell(stimuli.AskAnswered(probes=(M, OTHER)))
    assert of(orders.Probe, told) == [orders.Probe(OTHER, 0)]
    life.tell(stimuli.Probed(OTHER))
    assert not of(orders.Probe, life.tell(stimuli.AskAnswered(probes=(M,)), BARRED_S - 5))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 20.0))
    assert of(orders.Probe, life.tell(stimuli.AskAnswered(probes=(M,)))), "it may work by now"


def test_a_server_that_offers_a_failed_manifest_again_and_again_is_asked_now_and_then() -> None:
    life = Life()
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(probes=(M,)))
    life.tell(stimuli.ProbeFailed(M, told=True))
    asks = 0
    for _ in range(1200):  # a minute
        told = life.tell(stimuli.Ticked(), 0.05)
        asks += len(of(orders.Ask, told))
        if of(orders.Ask, told):
            life.tell(stimuli.AskAnswered(probes=(M,), jitter=0.5))
    assert 4 <= asks <= 10


def test_a_server_that_wants_to_be_left_alone_is_whatever_a_probe_finds() -> None:
    life = Life(slots=2)
    life.tell(stimuli.Started())
    life.tell(stimuli.AskAnswered(probes=(M, OTHER)))
    life.tell(stimuli.Probed(M))
    life.tell(stimuli.AskFailed(0.0, retry_after=60.0))
    assert not of(orders.Ask, life.tell(stimuli.ProbeFailed(OTHER, told=True), 1.0))
    assert not of(orders.Ask, life.tell(stimuli.Ticked(), 50.0))
    assert of(orders.Ask, life.tell(stimuli.Ticked(), 10.0))


def test_manifests_without_end_that_all_fail_are_not_asked_for_in_a_circle() -> None:
    life = Life()
    life.tell(stimuli.Started())
    asks = 0
    for number in range(1200):
        told = life.tell(stimuli.Ticked(), 0.05)
        if of(orders.Ask, told):
            asks += 1
            manifest = f"{number:064x}"
            life.tell(stimuli.AskAnswered(probes=(manifest,)))
            life.tell(stimuli.ProbeFailed(manifest, jitter=0.9, told=True))
    assert asks < 20


def test_what_it_does_is_said_in_a_word() -> None:
    life = Life()
    assert life.brain.doing == "idle"
    life.tell(stimuli.Started())
    assert life.brain.doing == "idle", "a question is no work"
    life.tell(stimuli.AskAnswered(probes=(M,)))
    assert life.brain.doing == "working"
    life.tell(stimuli.Probed(M))
    life.tell(stimuli.Commanded((messages.Command(1, "suspend", {}),)))
    assert life.brain.doing == "suspended"
    life.tell(stimuli.DrainAsked())
    assert life.brain.doing == "draining"
    life.tell(stimuli.StopAsked())
    assert life.brain.doing == "stopping"


def test_heartbeats_name_the_tasks_and_their_progress() -> None:
    life = Life().running()
    life.tell(stimuli.Spooled(1, 12))
    beats = of(orders.Heartbeat, life.tell(stimuli.Ticked(), 60))
    assert beats == [orders.Heartbeat((messages.Progress(1, 12),))]
    assert not of(orders.Heartbeat, life.tell(stimuli.Ticked(), 60)), "one at a time"
    assert of(orders.Heartbeat, life.tell(stimuli.HeartbeatTaken())), "the next is due"
