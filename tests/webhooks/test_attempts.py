"""How often somebody may try a password."""

from webhooks.attempts import Attempts

KEY = ("olena", "192.0.2.1")


def test_five_wrong_attempts_in_five_minutes():
    attempts = Attempts()
    assert [attempts.begin(KEY, 100.0 + at) for at in range(5)] == [0.0] * 5
    assert attempts.begin(KEY, 110.0) == 290.0
    assert attempts.begin(("olena", "192.0.2.2"), 110.0) == 0.0
    assert attempts.begin(("petro", "192.0.2.1"), 110.0) == 0.0
    assert attempts.begin(KEY, 400.0) == 0.0
    assert attempts.begin(KEY, 400.5) == 0.5


def test_a_right_one_forgets_the_wrong_ones():
    attempts = Attempts(most=2)
    attempts.begin(KEY, 0)
    attempts.begin(KEY, 0)
    attempts.succeeded(KEY)
    assert attempts.begin(KEY, 1) == 0.0


def test_one_that_nobody_could_judge_does_not_count():
    attempts = Attempts(most=1)
    attempts.begin(KEY, 0)
    attempts.abandoned(KEY)
    assert attempts.begin(KEY, 1) == 0.0
    attempts.abandoned(("nobody", ""))


def test_memory_has_a_limit():
    attempts = Attempts(most=1, keys=2)
    for login in ("a", "b", "c"):
        attempts.begin((login, ""), 0)
    assert attempts.begin(("a", ""), 1) == 0.0
    assert attempts.begin(("c", ""), 1) > 0


def test_many_addresses_help_little():
    attempts = Attempts()
    assert [attempts.begin(("olena", f"192.0.2.{at}"), 100.0 + at) for at in range(20)] == [0.0] * 20
    assert attempts.begin(("olena", "198.51.100.1"), 120.0) == 280.0
    assert attempts.begin(("petro", "198.51.100.1"), 120.0) == 0.0
    assert attempts.begin(("olena", "198.51.100.1"), 400.0) == 0.0


def test_who_guesses_gains_nothing_when_the_owner_signs_in():
    attempts = Attempts(anywhere=3)
    attempts.begin(("olena", "192.0.2.1"), 0)
    attempts.begin(("olena", "192.0.2.2"), 0)
    attempts.begin(KEY, 1)
    attempts.succeeded(KEY)
    assert attempts.begin(("olena", "192.0.2.3"), 2) == 0.0
    assert attempts.begin(("olena", "192.0.2.4"), 2) == 298.0


def test_what_could_not_be_judged_counts_nowhere():
    attempts = Attempts(anywhere=1)
    attempts.begin(KEY, 0)
    attempts.abandoned(KEY)
    assert attempts.begin(("olena", "192.0.2.9"), 1) == 0.0
