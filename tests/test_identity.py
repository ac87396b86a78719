"""What is remembered of objects."""

from __future__ import annotations

from runner.identity import ByIdentity


def test_an_equal_object_is_another_and_so_is_another_key():
    found: ByIdentity[str] = ByIdentity(8)
    thing = {"a": 1}
    assert found.keep(thing, "one", "k") == "one"
    assert found.get(thing, "k") == "one"
    assert found.get({"a": 1}, "k") is None
    assert found.get(thing) is None


def test_an_object_is_held_so_that_no_other_can_be_taken_for_it():
    found: ByIdentity[int] = ByIdentity(1000)
    for number in range(1000):
        found.keep([number], number)
    assert all(found.get([number]) is None for number in range(1000))


def test_only_the_last_that_were_asked_for_are_kept():
    found: ByIdentity[int] = ByIdentity(2)
    things = [[0], [1], [2]]
    found.keep(things[0], 0)
    found.keep(things[1], 1)
    found.get(things[0])
    found.keep(things[2], 2)
    assert [found.get(thing) for thing in things] == [0, None, 2]
    found.forget()
    assert found.get(things[0]) is None
