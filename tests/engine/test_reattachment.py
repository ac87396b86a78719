"""Which listed job belongs to which lost request: each is adopted only where no other can be meant."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.artifacts.result import Attempt, ErrorRecord
from runner.config.provider import CompatibleConfig
from runner.engine.matching import AROUND, MARGIN, Lost, OtherRuns, lost_request
from runner.engine.preparation import marked
from runner.engine.reattachment import assign_jobs
from runner.engine.recorder import planned
from runner.engine.run import Run
from runner.providers.base import Job, JobStatus

from .configs import video_config

NOW = 1_800_000_000.0
SENT = {"operation": "create", "prompt": "A paper boat", "model": "prod", "seconds": "8", "size": "1280x720"}
REMIX = {"operation": "remix", "video": "video_source", "prompt": "A paper boat"}
EDIT = {**REMIX, "operation": "edit_video"}
EXTEND = {**REMIX, "operation": "extend", "seconds": "4"}


def lost(index: int = 0, sent=SENT, *, since: float = 0, until: float = 60) -> Lost:
    return Lost(index, sent, frozenset({"prod", "sora-2"}), NOW + since, NOW + until)


def job(job_id: str = "video_1", *, at: float | None = 5, **raw) -> Job:
    told = {"prompt": "A paper boat", "model": "sora-2", "seconds": "8", "size": "1280x720",
            "remixed_from_video_id": None, **raw}  # fmt: skip
    return Job(job_id, JobStatus.QUEUED, "queued", created_at=None if at is None else NOW + at, raw=told)


def compatible_config(**provider):
    config = video_config()
    kind = CompatibleConfig.model_validate({"kind": "compatible", "base_url": "http://127.0.0.1:1/v1", **provider})
    return config.model_copy(update={"provider": kind})


def reattached(runs, jobs, claimed=frozenset(), **options) -> dict[int, str]:
    found = assign_jobs(runs, jobs, OtherRuns(frozenset(claimed)), **options)
    assert found.reattached.keys() | found.reasons.keys() == {one.index for one in runs}
    assert not found.reattached.keys() & found.reasons.keys()
    return {index: one.id for index, one in found.reattached.items()}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"model": "prod"},
        {"model": "sora-2-2025-12-08"},
        {"model": "SORA-2"},
        {"model": None},
        {"seconds": 8},
        {"seconds": 8.0},
        {"seconds": None, "size": None},
        {"prompt": " A paper boat\r\n"},
        {"at": -MARGIN},
        {"at": 60 + MARGIN},
    ],
)
def test_the_one_job_that_fits_is_adopted(told):
    known = job("video_2", prompt="Another")
    assert reattached([lost()], [job(**told), known], {known.id}) == {0: "video_1"}


@pytest.mark.parametrize(
    "told",
    [
        {"prompt": "A paper"},
        {"prompt": "A paper boat at sea"},
        {"prompt": "A paper…"},
        {"prompt": "a paper boat"},
        {"prompt": None},
        {"model": "sora-2-pro"},
        {"model": "sora-2-pro-2025-12-08"},
        {"seconds": "4"},
        {"size": "720x1280"},
        {"remixed_from_video_id": "video_source"},
        {"at": -MARGIN - 1},
        {"at": 61 + MARGIN},
        {"at": None},
        {"at": float("nan")},
    ],
)
def test_a_job_that_differs_or_does_not_tell_enough_is_left_alone(told):
    assert reattached([lost()], [job(**told)]) == {}


@pytest.mark.parametrize(
    ("sent", "told", "found"),
    [
        (REMIX, {"remixed_from_video_id": "video_source", "seconds": "12", "model": "sora-2-pro"}, True),
        (REMIX, {"remixed_from_video_id": "video_other"}, False),
        (REMIX, {"remixed_from_video_id": None}, False),
        (EDIT, {"remixed_from_video_id": "video_source"}, True),
        (EDIT, {"remixed_from_video_id": None}, True),
        (EDIT, {"remixed_from_video_id": "video_other"}, False),
        (EXTEND, {"seconds": "12"}, True),
        (EXTEND, {"seconds": "4"}, False),
    ],
)
def test_a_video_made_of_another_is_known_by_its_source(sent, told, found):
    assert reattached([lost(sent=sent)], [job(**told)]) == ({0: "video_1"} if found else {})


def test_the_video_that_an_edit_starts_from_is_not_its_outcome():
    assert reattached([lost(sent=EDIT)], [job("video_source")]) == {}


def test_an_image_has_no_job_to_adopt_though_a_video_has_the_same_prompt():
    image = {"operation": "generate", "prompt": "A paper boat", "model": "prod"}
    found = assign_jobs([lost(sent=image)], [job()], OtherRuns())
    assert found.reattached == {}
    assert "images are not jobs" in found.reasons[0]


def test_a_job_of_another_run_is_not_adopted():
    assert reattached([lost()], [job()], {"video_1"}) == {}
    assert reattached([lost()], [job(), job("video_2")], {"video_1"}) == {0: "video_2"}


def test_of_two_jobs_that_match_none_is_taken():
    found = assign_jobs([lost()], [job(), job("video_2")], OtherRuns())
    assert found.reattached == {}
    assert found.reasons[0] == "2 jobs match (video_1, video_2), and it cannot be told which one is this run's"


def test_replicas_take_one_job_each_in_the_order_of_time():
    runs = [lost(0, since=0, until=60), lost(1, since=30, until=90)]
    assert reattached(runs, [job("later", at=50), job("sooner", at=10)]) == {0: "sooner", 1: "later"}


def test_replicas_with_too_few_jobs_share_what_is_there():
    found = assign_jobs([lost(0), lost(1), lost(2)], [job(), job("video_2")], OtherRuns())
    assert {one.id for one in found.reattached.values()} == {"video_1", "video_2"}
    (reason,) = found.reasons.values()
    assert "went to other runs that sent the same request" in reason


def test_replicas_with_too_many_jobs_take_none():
    assert reattached([lost(0), lost(1)], [job(), job("video_2"), job("video_3")]) == {}


def test_replicas_whose_times_do_not_allow_it_take_none():
    early, late = lost(0, since=0, until=10), lost(1, since=1000, until=1010)
    between = [job("a", at=0), job("b", at=5)]
    assert reattached([early, late], between) == {}
    assert reattached([early, late], [job("a", at=0), job("b", at=1005)]) == {0: "a", 1: "b"}


def test_each_job_goes_where_time_leaves_it_a_place():
    # Whoever can wait does: the first job fits both runs, the second only the later one.
    early, late = lost(1, since=0, until=10), lost(0, since=0, until=1000)
    assert reattached([late, early], [job("first", at=5), job("second", at=900)]) == {1: "first", 0: "second"}


@pytest.mark.parametrize("jobs", [[job()], [job(), job("video_2")]])
def test_runs_that_differ_in_what_no_list_shows_do_not_guess(jobs):
    runs = [lost(0, {**SENT, "seed": 1}), lost(1, {**SENT, "seed": 2})]
    assert reattached(runs, jobs) == {}


def test_runs_that_time_tells_apart_may_differ_in_anything():
    runs = [lost(0, {**SENT, "seed": 1}), lost(1, {**SENT, "seed": 2}, since=5000, until=5060)]
    assert reattached(runs, [job(), job("video_2", at=5001)]) == {0: "video_1", 1: "video_2"}


def test_a_server_that_hides_prompts_is_named_as_the_reason():
    found = assign_jobs([lost()], [job(prompt=None), job("video_2", prompt="Another")], OtherRuns())
    assert found.reasons[0] == "no job matches among 2 listed; 1 may, but the list does not tell enough"


def test_what_a_cut_list_may_hide_is_not_decided():
    runs = [lost(0), lost(1, since=50_000, until=50_060)]
    found = assign_jobs(runs, [job(), job("video_2", at=50_010)], OtherRuns(), complete_since=NOW, shortfall="too long")
    assert {index: one.id for index, one in found.reattached.items()} == {1: "video_2"}
    assert found.reasons == {0: "too long"}


@pytest.fixture
def other_runs(result):
    """What another directory tells, with a request that was lost there and this job of its own."""

    def build(sent=SENT, *, since: float = 0, jobs=()) -> OtherRuns:
        return OtherRuns(frozenset(jobs), ((Path("outputs/B"), result(sent, since)),))

    return build


@pytest.fixture
def result(video_run):
    """A run's record whose one paid request got no answer."""

    def build(sent, since: float):
        started, ended = (dt.datetime.fromtimestamp(NOW + at, dt.UTC) for at in (since, since + 60))
        attempt = Attempt(number=1, model="prod", started_at=started, ended_at=ended)
        return planned(video_run, NOW).model_copy(update={"request_sent": sent, "attempts": [attempt]})

    return build


@pytest.fixture
def video_run():
    return Run(0, video_config(), Path("0"))


@pytest.mark.parametrize("theirs", [SENT, {**SENT, "input_reference": "b.png"}, {**SENT, "seed": 2}])
@pytest.mark.parametrize("jobs", [[job()], [job(), job("video_2", at=400)]])
def test_what_an_open_request_elsewhere_may_have_made_is_nobody_s(other_runs, theirs, jobs):
    found = assign_jobs([lost(until=200)], jobs, other_runs(theirs))
    assert found.reattached == {}
    assert found.reasons[0].endswith("but may be of a request in outputs/B whose answer was lost too")


@pytest.mark.parametrize(
    ("theirs", "since"),
    [
        ({**SENT, "prompt": "Another"}, 0),
        ({**SENT, "seconds": "4"}, 0),
        (SENT, 5000),
        ({**SENT, "operation": "generate"}, 0),
    ],
)
def test_an_open_request_elsewhere_that_cannot_have_made_the_job_is_no_rival(other_runs, theirs, since):
    found = assign_jobs([lost()], [job()], other_runs(theirs, since=since))
    assert found.reattached.keys() == {0}


def test_a_rival_that_has_its_job_from_another_request_is_still_one(other_runs):
    found = assign_jobs([lost()], [job(), job("video_2")], other_runs(jobs={"video_2"}))
    assert found.reattached == {}


def test_while_a_neighbour_cannot_be_read_nothing_is_adopted():
    unread = OtherRuns(unknown="outputs/B/ledger.sqlite3 cannot be read")
    found = assign_jobs([lost()], [job()], unread)
    assert found.reattached == {}
    assert found.reasons[0] == (
        "1 job matches (video_1), and may be of a run elsewhere: outputs/B/ledger.sqlite3 cannot be read"
    )
    assert assign_jobs([lost()], [], unread).reasons[0] == "no job matches among 0 listed"


def test_jobs_of_other_runs_are_counted_among_those_listed():
    found = assign_jobs([lost()], [job()], OtherRuns(frozenset({"video_1", "video_far"})))
    assert found.reasons[0] == "no job matches among 1 listed, 1 of other runs"


PROMPTS = ["boat", "kite", "sea"]
moments = st.integers(0, 2000).map(float)
requests = st.fixed_dictionaries(
    {"operation": st.just("create"), "prompt": st.sampled_from(PROMPTS), "model": st.just("prod")},
    optional={"seed": st.integers(0, 2), "seconds": st.sampled_from(["4", "8"])},
)
lost_runs = st.lists(st.tuples(requests, moments, st.integers(0, 300)), max_size=8).map(
    lambda drawn: [lost(i, sent, since=at, until=at + took) for i, (sent, at, took) in enumerate(drawn)]
)
listed = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.none() | moments,
        st.sampled_from([*PROMPTS, None, "bo"]),
        st.sampled_from(["4", 8, None]),
        st.sampled_from(["prod", "sora-2", "sora-2-pro", None]),
    ),
    max_size=12,
    unique_by=lambda drawn: drawn[0],
).map(lambda drawn: [job(f"video_{n}", at=at, prompt=p, seconds=s, model=m) for n, at, p, s, m in drawn])
ids = st.sets(st.integers(0, 12).map("video_{}".format))


@given(lost_runs, listed, ids)
def test_no_job_is_adopted_twice_nor_if_claimed_nor_with_another_prompt(runs, jobs, claimed):
    found = assign_jobs(runs, jobs, OtherRuns(frozenset(claimed)))
    given_away = [one.id for one in found.reattached.values()]
    assert len(given_away) == len(set(given_away))
    assert not set(given_away) & claimed
    by_index = {one.index: one for one in runs}
    for index, one in found.reattached.items():
        assert one.raw["prompt"] == by_index[index].sent["prompt"]
        assert by_index[index].around(one.created_at)
    assert found.reattached.keys() | found.reasons.keys() == by_index.keys()


@given(lost_runs, listed, ids, moments, st.randoms())
def test_another_order_changes_nothing_and_a_stranger_s_job_only_ever_prevents(runs, jobs, claimed, at, random):
    before = reattached(runs, jobs, claimed)
    mixed = [*jobs]
    random.shuffle(mixed)
    assert reattached(random.sample(runs, len(runs)), mixed, claimed) == before
    after = reattached(runs, [*jobs, job("video_stranger", at=at, prompt="something else")], claimed)
    assert after.items() <= before.items()


def test_the_source_of_a_remix_is_no_stranger_s_job():
    remix = lost(sent={**SENT, "operation": "remix", "video": "video_source"})
    made, source = job("video_remix", remixed_from_video_id="video_source"), job("video_source", prompt="Another")
    assert reattached([remix], [made, source]) == {0: "video_remix"}
    assert reattached([remix], [made, job("video_theirs", prompt="Another")]) == {}


STRANGER = job("video_theirs", prompt="Another")


@pytest.mark.parametrize(
    "stranger",
    [
        {"prompt": "Another"},
        {"prompt": "A paper boat", "size": "720x1280"},
        {"prompt": "A paper boat", "seconds": "4"},
        {"prompt": "Another", "at": -AROUND},
        {"prompt": "Another", "at": 60 + AROUND},
        {"prompt": "Another", "model": "prod"},
        {"prompt": "Another", "model": None},
    ],
)
def test_on_an_account_that_others_use_nothing_is_adopted(stranger):
    found = assign_jobs([lost()], [job(), job("video_theirs", **stranger)], OtherRuns())
    assert found.reattached == {}
    assert found.reasons[0] == (
        "1 job matches (video_1), but others use this account, too, and it may be theirs: around that time, "
        "1 job is (video_theirs) of no run known here"
    )


@pytest.mark.parametrize(
    "stranger",
    [
        {"prompt": "Another", "at": -AROUND - 1},
        {"prompt": "Another", "at": 61 + AROUND},
        {"prompt": "Another", "at": None},
        {"prompt": "Another", "model": "sora-2-pro"},
        {"prompt": None},
    ],
    ids=["before", "after", "of no time", "another model", "perhaps ours"],
)
def test_what_is_far_off_or_of_another_model_tells_of_no_other_user(stranger):
    assert reattached([lost()], [job(), job("video_theirs", **stranger)]) == {0: "video_1"}


def test_a_job_that_another_lost_request_explains_is_no_stranger_s(other_runs, result):
    other = {**SENT, "prompt": "Another"}
    assert assign_jobs([lost()], [job(), STRANGER], other_runs(other)).reattached.keys() == {0}
    assert assign_jobs([lost()], [job(), STRANGER], OtherRuns(own=(result(other, 0),))).reattached.keys() == {0}
    assert assign_jobs([lost(), lost(1, other)], [job(), STRANGER], OtherRuns()).reattached.keys() == {0, 1}


def test_two_sweeps_of_one_account_take_nothing_from_each_other():
    # Of a, b, c and d, the answers to a and b were lost here, and made nothing; another directory has sent all four.
    sent = {letter: {**SENT, "prompt": letter} for letter in "abcd"}
    theirs = [job(f"video_{letter}", prompt=letter) for letter in "abcd"]
    ours = [job("video_c2", prompt="c"), job("video_d2", prompt="d")]
    runs = [lost(0, sent["a"]), lost(1, sent["b"])]
    assert reattached(runs, [*theirs, *ours], {"video_c2", "video_d2"}) == {}


def test_a_server_that_said_that_it_made_nothing_made_no_job():
    denied = dataclasses.replace(lost(), denied=True)
    found = assign_jobs([denied], [job()], OtherRuns())
    assert found.reasons[0] == "1 job matches (video_1), but the server said that it had made nothing"


def error(message: str) -> ErrorRecord:
    return ErrorRecord(type="UncertainError", code=None, message=message, hint=None, retryable=False)


@pytest.mark.parametrize(
    ("message", "denied"),
    [
        ("x answered 503 (The engine is currently overloaded). It may have been carried out and charged", True),
        ("x answered 503 (the request was not accepted: the queue is full)", True),
        ("x answered 500 (internal error). It may have been carried out and charged", False),
        ("x gave no answer: the answer did not come in time", False),
    ],
)
def test_what_an_error_says_of_the_request_is_heard(result, message, denied):
    record = result(SENT, 0)
    record.attempts[0].error = error(message)
    assert lost_request(0, record, record.attempts[0]).denied is denied


@pytest.mark.parametrize(
    ("at", "found"),
    [(3600, True), (3600 - 15, True), (3660 + 15, True), (3600 - 60, False), (3660 + 60, False), (5, False)],
)
def test_where_the_server_s_clock_is_known_its_times_are_taken_by_it(result, at, found):
    record = result(SENT, 0)
    record.attempts[0].server_ahead = 3600.0
    assert bool(reattached([lost_request(0, record, record.attempts[0])], [job(at=at)])) is found


@given(lost_runs, listed)
def test_a_second_job_like_an_adopted_one_never_brings_two_runs_the_same(runs, jobs):
    for index, one in assign_jobs(runs, jobs, OtherRuns()).reattached.items():
        twin = dataclasses.replace(one, id="video_twin")
        after = reattached(runs, [*jobs, twin])
        same = [other for other in runs if other.sent == runs[index].sent]
        assert index not in after or len(same) > 1


@given(lost_runs, listed)
def test_looking_again_after_adopting_finds_nobody_else_s_job(runs, jobs):
    first = assign_jobs(runs, jobs, OtherRuns())
    left = [one for one in runs if one.index not in first.reattached]
    second = assign_jobs(left, jobs, OtherRuns(frozenset(one.id for one in first.reattached.values())))
    pairs = itertools.chain(first.reattached.values(), second.reattached.values())
    taken = [one.id for one in pairs]
    assert len(taken) == len(set(taken))


def with_mark(run: Lost, mark: str) -> Lost:
    return dataclasses.replace(run, sent={**run.sent, "user": mark}, mark_field="user")


def test_a_mark_tells_a_runs_job_from_any_other_however_alike_they_are():
    ours, other, stranger = job("video_1", user="runner-1"), job("video_2", user="runner-2"), job("video_3")
    near = job("video_4", prompt="A stranger's", at=7)
    assert reattached([with_mark(lost(), "runner-1")], [other, near, ours, stranger]) == {0: "video_1"}
    assert reattached([with_mark(lost(), "runner-9")], [other, ours]) == {}


def test_a_job_is_known_by_its_mark_where_the_list_tells_nothing_else():
    told = job(at=None, prompt=None, user="runner-1")
    assert reattached([with_mark(lost(), "runner-1")], [told]) == {0: "video_1"}
    text = job(at=None, prompt=None, metadata='{"runner": "runner-1"}')
    run = dataclasses.replace(lost(), sent={**SENT, "metadata": {"runner": "runner-1"}}, mark_field="metadata")
    assert reattached([run], [text]) == {0: "video_1"}


def test_where_the_list_tells_no_mark_all_else_decides_as_ever():
    assert reattached([with_mark(lost(), "runner-1")], [job()]) == {0: "video_1"}
    assert reattached([with_mark(lost(), "runner-1")], [job(), job("video_2")]) == {}


def test_the_requests_of_one_run_share_its_mark_and_its_jobs():
    runs = [with_mark(lost(0), "runner-1"), with_mark(lost(1, since=100, until=160), "runner-1")]
    jobs = [job("video_2", at=105, user="runner-1"), job("video_1", user="runner-1")]
    assert reattached(runs, jobs) == {0: "video_1", 1: "video_2"}


@pytest.mark.parametrize(("field", "sent"), [("user", str), ("metadata", dict), (None, type(None))])
def test_a_mark_is_sent_only_in_the_field_that_the_config_names(field, sent, tmp_path):
    config = compatible_config(mark_field=field)
    result = planned(Run(0, config, tmp_path), NOW)
    given = marked(config, result).request.extra_params
    assert isinstance(given.get(field), sent)
    again = planned(Run(0, config, tmp_path), NOW + 1)
    assert field is None or marked(config, again).request.extra_params != given
    deaf = compatible_config(mark_field=field, dialect="vllm_omni")
    assert marked(deaf, planned(Run(0, deaf, tmp_path), NOW)) is deaf, (
        "a list that does not tell it finds nothing by it"
    )
    own = config.request.model_copy(update={"extra_params": {"user": "me"}})
    assert marked(config.model_copy(update={"request": own}), result).request.extra_params["user"] == "me"
