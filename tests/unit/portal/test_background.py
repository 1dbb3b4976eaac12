import threading
from collections.abc import Callable
from datetime import timedelta

from kong_app_auth.portal.background import LONGEST_PAUSE, Background, Job, pause
from kong_app_auth.portal.jobs import jobs
from kong_app_auth.portal.plane import ControlPlane

SOON = timedelta(milliseconds=1)


class Counter:
    """A job that can be waited for: `reached` is set at its `until`th run."""

    def __init__(self, until: int, work: Callable[[int], object] = bool) -> None:
        self.runs = 0
        self.reached = threading.Event()
        self._until, self._work = until, work

    def __call__(self, _plane: ControlPlane) -> None:
        self.runs += 1
        if self.runs == self._until:
            self.reached.set()
        self._work(self.runs)


def _fail(_run: int) -> None:
    raise RuntimeError("secret")


def test_a_job_runs_again_and_again_until_it_is_stopped(plane: ControlPlane) -> None:
    job = Counter(3)
    background = Background(plane, [Job("count", SOON, job)])
    background.start()
    assert job.reached.wait(10)
    assert background.stop()
    runs = job.runs

    assert not any(thread.name == "portal-count" for thread in threading.enumerate())
    assert job.runs == runs


def test_a_job_that_fails_is_tried_again_and_holds_up_no_other(plane: ControlPlane) -> None:
    failing, good = Counter(3, _fail), Counter(3)
    background = Background(plane, [Job("failing", SOON, failing), Job("good", SOON, good)])
    background.start()
    try:
        assert failing.reached.wait(10)
        assert good.reached.wait(10)
    finally:
        background.stop()


def test_stopping_does_not_wait_for_ever_for_a_job_that_hangs(plane: ControlPlane) -> None:
    go_on = threading.Event()
    hanging = Counter(1, lambda _run: go_on.wait(10))
    background = Background(plane, [Job("hanging", SOON, hanging)])
    background.start()
    assert hanging.reached.wait(10)
    assert not background.stop(0.01)
    go_on.set()
    assert background.stop(10)


def test_a_job_that_was_long_ago_due_is_not_waited_for(plane: ControlPlane) -> None:
    job = Counter(1)
    background = Background(plane, [Job("daily", timedelta(days=1), job)])
    background.start()
    assert job.reached.wait(10)
    assert background.stop(10)


def test_failures_make_pauses_longer_up_to_a_bound() -> None:
    job = Job("x", timedelta(seconds=1), bool)

    assert [pause(job, failures).total_seconds() for failures in (0, 1, 2, 3)] == [1, 2, 4, 8]
    assert pause(job, 1000) == LONGEST_PAUSE
    assert pause(Job("x", timedelta(days=1), bool), 5) == timedelta(days=1)


def test_every_job_of_the_portal_runs_on_an_empty_one(plane: ControlPlane) -> None:
    for job in jobs():
        job.run(plane)
