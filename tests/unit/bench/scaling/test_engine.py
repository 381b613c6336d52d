"""The engine against queueing theory: what is known exactly must come out."""

import math
import random

import pytest

from sightline.bench.scaling.engine import Engine, Signal, Station, serve


def waits(*, places, arrivals, services):
    """Have customers come, be served, and go; return how long each has waited."""
    engine = Engine()
    station = Station(engine, places)
    waited = []

    def customer(service_s):
        came_s = engine.now_s
        yield station
        waited.append(engine.now_s - came_s)
        yield service_s
        station.release()

    def street():
        for pause_s, service_s in zip(arrivals, services, strict=True):
            yield pause_s
            engine.resume(customer(service_s))

    engine.resume(street())
    engine.run()
    return waited, station.busy_s() / (places * engine.now_s)


def mean(values):
    return sum(values) / len(values)


def erlang_c(places, load):
    """Say how likely a customer of an M/M/c queue has to wait."""
    terms = [load**n / math.factorial(n) for n in range(places)]
    last = load**places / math.factorial(places) * places / (places - load)
    return last / (sum(terms) + last)


@pytest.mark.parametrize("places", [1, 3])
def test_random_arrivals_and_services_wait_as_erlang_says(places):
    rate, service_s, number = 0.8 * places, 1.0, 200_000
    chance = random.Random(1)
    waited, busy = waits(
        places=places,
        arrivals=[chance.expovariate(rate) for _ in range(number)],
        services=[chance.expovariate(1 / service_s) for _ in range(number)],
    )
    expected = erlang_c(places, rate * service_s) * service_s / (places - rate * service_s)
    assert mean(waited) == pytest.approx(expected, rel=0.05)
    assert busy == pytest.approx(0.8, rel=0.01)


def test_services_of_equal_length_wait_half_as_long_as_random_ones():
    number, load = 200_000, 0.7
    chance = random.Random(2)
    waited, _ = waits(
        places=1,
        arrivals=[chance.expovariate(load) for _ in range(number)],
        services=[1.0] * number,
    )
    assert mean(waited) == pytest.approx(load / (2 * (1 - load)), rel=0.05)  # Pollaczek–Khinchine


def test_who_comes_first_is_served_first():
    waited, busy = waits(places=1, arrivals=[0.0, 0.0, 0.0], services=[2.0, 3.0, 1.0])
    assert waited == [0.0, 2.0, 5.0]
    assert busy == 1.0


def test_a_signal_wakes_who_waits_and_does_not_hold_up_who_comes_late():
    engine = Engine()
    signal, went_on = Signal(engine), []

    def waiting(after_s):
        yield after_s
        yield signal
        went_on.append((after_s, engine.now_s))

    def giving():
        yield 2.0
        signal.give()

    for process in (waiting(1.0), giving(), waiting(3.0)):
        engine.resume(process)
    engine.run()
    assert went_on == [(1.0, 2.0), (3.0, 3.0)]


def test_time_can_be_stopped_at_a_moment():
    engine = Engine()
    station = Station(engine)
    engine.resume(serve(station, 10.0))
    engine.run(until_s=4.0)
    assert engine.now_s <= 4.0
    engine.run()
    assert engine.now_s == 10.0


def test_a_station_without_places_is_refused():
    with pytest.raises(ValueError, match="at least 1 place"):
        Station(Engine(), 0)
