"""Tools for work that happens at the same time."""

import threading
from functools import partial

import pytest

from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.runtime.concurrent import Background, Once, run_each


def test_what_many_ask_for_is_made_once() -> None:
    """A caller that comes while the result is being made waits for it and gets the same one."""
    once, made, gate = Once[str, object](), list[str](), threading.Barrier(5)

    def make() -> object:
        made.append("x")
        return object()

    def ask(_number: int) -> object:
        gate.wait(60)
        return once.get("key", make)

    answers = run_each(ask, range(5), at_once=5)

    assert len(made) == 1
    assert len(set(map(id, answers))) == 1


def test_an_error_is_kept_like_a_result() -> None:
    """A caller that comes after a failure gets the same failure."""
    once = Once[str, object]()
    failure = EngineError("disk full")

    def fail() -> object:
        raise failure

    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            once.get("key", fail)
        assert caught.value is failure


def test_results_and_errors_come_in_order() -> None:
    """An error of one item does not stop the work on the others."""
    failure = EngineError("no")

    def double(number: int) -> int:
        if number == 2:
            raise failure
        return 2 * number

    assert run_each(double, [1, 2, 3], at_once=2) == [2, failure, 6]


def test_no_more_at_once_than_allowed() -> None:
    """No more than the given number of calls run at the same time."""
    lock, now, peak = threading.Lock(), [0], [0]

    def call(_number: int) -> None:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        with lock:
            now[0] -= 1

    run_each(call, range(50), at_once=3)

    assert peak[0] <= 3


def test_a_bug_is_not_taken_for_an_answer() -> None:
    """An exception that is not one of our errors is raised."""

    def divide(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        run_each(divide, [1, 0], at_once=1)


def test_nothing_to_do() -> None:
    """No items, no threads, no results."""
    assert run_each(str, [], at_once=4) == []


def test_the_background_is_done_when_it_is_closed() -> None:
    """All work of the background has been done when it is closed, even if some of it failed. No traceback is printed."""
    background, done, gate = Background(), list[int](), threading.Event()

    def fail() -> None:
        raise StorageError("gone")

    def wait(number: int) -> None:
        gate.wait(60)
        done.append(number)

    background.do(fail)
    for number in range(10):
        background.do(partial(wait, number))
    gate.set()
    background.close()
    background.close()

    assert sorted(done) == list(range(10))
