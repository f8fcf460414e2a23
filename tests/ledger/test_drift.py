"""Steps of the clock: found by the steady clock beside it, however they are read."""

from __future__ import annotations

from ledger.drift import ClockWatch, steady_us

SECOND = 1_000_000


class Clocks:
    """Two clocks that tests set, and how long a reading takes."""

    def __init__(self) -> None:
        self.wall_us = 1_800_000_000 * SECOND
        self.steady_us = 55 * SECOND
        self.delays: list[int] = []

    def wall(self) -> int:
        """Read the clock that steps; something may come between."""
        delay = self.delays.pop() if self.delays else 0
        self.pass_us(delay)
        return self.wall_us

    def steady(self) -> int:
        """Read the steady one."""
        return self.steady_us

    def pass_us(self, us: int) -> None:
        """Let time pass on both."""
        self.wall_us += us
        self.steady_us += us


def test_time_that_passes_is_no_step() -> None:
    """Both went on alike."""
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    clocks.pass_us(3_600 * SECOND)
    assert watch.step_ms() == 0


def test_a_step_is_told_once_with_its_sign() -> None:
    """Set forward by two seconds, then back by five."""
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    clocks.wall_us += 2 * SECOND
    assert (watch.step_ms(), watch.step_ms()) == (2_000, 0)
    clocks.wall_us -= 5 * SECOND
    assert (watch.step_ms(), watch.step_ms()) == (-5_000, 0)


def test_a_process_that_is_held_between_two_readings_sees_no_step() -> None:
    """What came between the readings is noticed, and they are read again."""
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    clocks.delays = [0, 0, 3 * SECOND, 4 * SECOND]
    assert watch.step_ms() == 0


def test_the_steady_clock_goes_on() -> None:
    """It is read in microseconds and never goes back."""
    first = steady_us()
    assert first <= steady_us() < first + 60 * SECOND
