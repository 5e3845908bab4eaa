"""What is learned when: every cycle of the rate ends at nothing, and what is asked of each batch changes where it is said to."""

from nano import schedule


def test_each_cycle_rises_falls_and_ends_at_nothing():
    for began, (falls, ends, peak) in zip((0, *(c[1] for c in schedule.CYCLES)), schedule.CYCLES, strict=False):
        assert schedule.rate(began) < peak / 10
        top = max(falls, began + schedule.WARM_UP)
        assert 0.97 * peak < schedule.rate(top) <= peak
        assert schedule.rate((top + ends) // 2) < 0.6 * peak
        assert 0 < schedule.rate(ends - 1) < peak / 100
    assert schedule.rate(schedule.STEPS) == 0


def test_cycles_follow_each_other():
    ends = [ends for _, ends, _ in schedule.CYCLES]
    assert ends == sorted(ends)
    assert all(falls < ends for falls, ends, _ in schedule.CYCLES)


def test_a_model_never_gets_shallower():
    counts = [schedule.layers(step) for step in range(-1, schedule.STEPS, 100)]
    assert counts == sorted(counts)
    assert schedule.layers(-1) == schedule.DEPTHS[0][1]


def test_no_two_batches_have_the_same_seed_and_copying_ends():
    jobs = schedule.jobs(schedule.DRILLED + 50)
    assert len({job.seed for job in jobs}) == len(jobs)
    assert all(job.drills for job in jobs[: schedule.DRILLED])
    assert not any(job.drills for job in jobs[schedule.DRILLED :])


def test_first_acts_have_the_share_of_batches_that_the_report_tells():
    shares = (
        *((schedule.DRILLED, 3 / 4), (schedule.FIRST_ACTS, 1 / 3), (schedule.HALVES, 1 / 2)),
        *((schedule.THIRDS, 2 / 3), (schedule.HALVES_AGAIN, 1 / 2)),
    )
    jobs = schedule.jobs(schedule.HALVES_AGAIN + 1200)
    for begins, share in shares:
        part = jobs[begins : begins + 1200]
        assert sum(job.only_first for job in part) == share * len(part)
