"""Gone on with: whatever state a killed process has left a run in, nothing is lost and nothing is paid twice."""

from __future__ import annotations

import base64
import io
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from runner.artifacts.result import ErrorRecord
from runner.artifacts.run_status import RunStatus
from runner.config.provider import OpenAIConfig
from runner.config.run import Fallback
from runner.engine.run import Run
from runner.errors import AuthenticationError, ExpiredError, GenerationFailedError, RateLimitError, UncertainError
from runner.providers.base import GeneratedImage, ImageBatch, Job, JobStatus

SECOND = OpenAIConfig(kind="openai", base_url="https://second.example/v1")


@pytest.fixture
def killed(engine, stored, tmp_path):
    """Execute a run, then put its directory back to how it was when the run had reached a state; the run to go on with.

    What a process that was killed at this moment would have left.
    """

    def at(run: Run, status: str, create=None) -> Run:
        copy = tmp_path / "at that moment" / str(run.index)

        def keep(event):
            if event.status == status and event.run.index == run.index and not copy.exists():
                shutil.copytree(event.run.directory, copy)

        engine.listeners.append(keep)
        engine([run], create=create)
        engine.listeners.remove(keep)
        shutil.rmtree(run.directory)
        shutil.copytree(copy, run.directory)
        left = stored(run)
        assert left.status == status
        return replace(run, config=run.config.choice(left.choice), earlier=left)

    return at


def noise(size=(64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def coded(*images: bytes) -> ImageBatch:
    return ImageBatch(tuple(GeneratedImage(base64.b64encode(image).decode(), None) for image in images))


@pytest.mark.parametrize("state", ["submitted", "completed", "downloaded"])
def test_a_job_that_exists_is_brought_home_and_not_paid_again(engine, provider, runs, killed, stored, clip, state):
    (run,) = runs()
    left = killed(run, state)
    outcome = engine([left])
    assert outcome.exit_code == 0
    assert len(provider.sent) == 1
    result = stored(run)
    assert (result.status, result.job_id, len(result.attempts)) == (RunStatus.VERIFIED, "video_0", 1)
    assert result.pending == []
    assert (run.directory / "video.mp4").read_bytes() == clip
    assert not [*run.directory.glob("*.part")]
    assert result.timestamps["submitting"] == left.earlier.timestamps["submitting"], "what was known stays known"


def test_a_run_whose_request_was_refused_as_too_many_is_sent_again(engine, provider, runs, stored):
    (run,) = runs()
    provider.on_submit.append(RateLimitError("slow down", retry_after=9000))
    engine.interrupted([run], 100)
    left = stored(run)
    assert (left.status, len(left.attempts)) == (RunStatus.PLANNED, 1)
    assert engine([replace(run, earlier=left)]).exit_code == 0
    assert (len(provider.created), len(stored(run).attempts)) == (1, 2)
    assert stored(run).spent_usd == pytest.approx(0.4)


def test_what_had_arrived_whole_is_neither_asked_for_nor_downloaded_again(engine, provider, runs, killed):
    (run,) = runs()
    left = killed(run, "downloaded")
    provider.on_retrieve.append(ExpiredError("gone"))
    provider.on_content.append(ExpiredError("gone"))
    assert engine([left]).exit_code == 0
    assert len(provider.on_retrieve) == len(provider.on_content) == 1


def test_what_has_its_final_name_already_is_kept_too(engine, provider, runs, killed):
    (run,) = runs()
    left = killed(run, "downloaded")
    (run.directory / "video.mp4.part").rename(run.directory / "video.mp4")
    provider.on_content.append(ExpiredError("gone"))
    assert engine([left]).exit_code == 0
    assert len(provider.on_content) == 1


@pytest.mark.parametrize("damage", [lambda part: part.write_bytes(b"half"), lambda part: part.unlink()])
def test_what_is_no_longer_whole_is_downloaded_again(engine, provider, runs, killed, clip, damage):
    (run,) = runs()
    left = killed(run, "downloaded")
    damage(run.directory / "video.mp4.part")
    assert engine([left]).exit_code == 0
    assert len(provider.sent) == 1
    assert (run.directory / "video.mp4").read_bytes() == clip


def test_a_video_that_was_complete_before_ctrl_c_is_not_downloaded_again(
    engine, provider, runs, stored, body, clip, configs
):
    video, _ = configs
    slow = body(clip)
    slow.seconds = 50
    config = video()
    request = config.request.model_copy(update={"variants": ("thumbnail",)})
    (run,) = runs(config=config.model_copy(update={"request": request}))
    provider.on_content.extend([body(clip), slow])
    engine.interrupted([run], 30)
    left = stored(run)
    assert left.status is RunStatus.DOWNLOADED
    assert (run.directory / "video.mp4").exists()
    provider.on_retrieve.append(ExpiredError("gone"))
    provider.on_content.extend([body(noise())])
    assert engine([replace(run, earlier=left)]).exit_code == 0
    assert len(provider.on_retrieve) == 1, "the video itself was here"
    assert (run.directory / "remote-thumbnail.png").exists()
    assert (run.directory / "video.mp4").read_bytes() == clip


def test_a_file_that_expired_meanwhile_is_its_own_end_and_never_paid_again(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "completed")
    provider.on_content.append(ExpiredError("the file is no longer kept"))
    outcome = engine([left])
    assert stored(run).status is RunStatus.EXPIRED
    assert (outcome.exit_code, len(provider.sent)) == (1, 1)


def test_a_job_that_failed_meanwhile_is_recorded_and_not_paid_again(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitted")
    provider.on_retrieve.append(Job("video_0", JobStatus.FAILED, "failed", error_message="the GPU melted"))
    assert engine([left]).exit_code == 1
    assert stored(run).status is RunStatus.FAILED
    assert len(provider.sent) == 1


@pytest.mark.parametrize("ended", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_failed_run_that_is_tried_again_keeps_what_it_was(engine, provider, runs, stored, ended):
    (run,) = runs()
    provider.on_retrieve.append(Job("video_0", ended, ended.value))
    engine([run])
    left = stored(run)
    assert left.status.failed
    assert engine([replace(run, earlier=left, again=True)]).exit_code == 0
    result = stored(run)
    assert (result.status, result.error, result.job_id) == (RunStatus.VERIFIED, None, "video_1")
    assert [attempt.job_id for attempt in result.attempts] == ["video_0", "video_1"]
    assert result.spent_usd == pytest.approx(0.8), "what failed was paid, too"
    assert result.begun == left.begun


def test_a_lost_request_s_job_is_found_and_taken_over(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitting")
    assert engine([left]).exit_code == 0
    result = stored(run)
    assert (len(provider.sent), len(provider.listed)) == (1, 1)
    assert (result.status, result.job_id, len(result.attempts)) == (RunStatus.VERIFIED, "video_0", 1)
    assert result.attempts[0].job_id == "video_0"
    assert "video_0 is this run's: its answer had been lost" in " ".join(engine.notes)


def test_a_lost_request_without_a_job_stays_uncertain_and_is_not_sent_again(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitting")
    provider.created.clear()
    outcome = engine([left])
    result = stored(run)
    assert (outcome.exit_code, result.status, len(provider.sent)) == (4, RunStatus.UNCERTAIN, 1)
    assert "the process ended before the answer" in result.error.message
    assert "no job matches among 0 listed" in result.error.message
    assert "--resubmit-uncertain" in (result.error.hint or "")
    assert result.spent_usd == pytest.approx(0.4), "it may have been paid"
    engine([replace(left, earlier=result)])
    assert stored(run).error.message.count("no job matches") == 1, "looking again must not make the message longer"


def test_two_jobs_that_may_be_it_are_left_to_the_user(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitting")
    provider.created["video_more"] = 1.0
    provider.asked["video_more"] = provider.body(run.config)
    assert engine([left]).exit_code == 4
    assert "2 jobs match" in stored(run).error.message
    assert len(provider.sent) == 1


def test_another_run_s_job_is_not_taken_over(engine, provider, runs, killed, stored):
    lost, sibling = runs(2)
    left = killed(lost, "submitting")
    provider.created.clear()
    assert engine([sibling]).exit_code == 0
    done = stored(sibling)
    unfinished = done.model_copy(update={"status": RunStatus.SUBMITTED})
    assert engine([left, replace(sibling, earlier=unfinished)]).exit_code == 4
    assert stored(lost).status is RunStatus.UNCERTAIN
    assert stored(sibling).job_id == done.job_id


def test_with_consent_what_stays_lost_is_paid_once_more(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitting")
    provider.created.clear()
    assert engine([replace(left, resubmit=True)]).exit_code == 0
    result = stored(run)
    assert len(provider.sent) == 2
    assert (result.status, result.error, len(result.attempts)) == (RunStatus.VERIFIED, None, 2)
    assert result.spent_usd == pytest.approx(0.8)


def test_with_consent_what_is_found_is_not_paid_again(engine, provider, runs, killed):
    (run,) = runs()
    left = killed(run, "submitting")
    assert engine([replace(left, resubmit=True)]).exit_code == 0
    assert len(provider.sent) == 1


def test_consent_is_for_one_more_payment(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitting")
    provider.created.clear()
    provider.on_submit.extend([UncertainError("lost again"), UncertainError("and again")])
    assert engine([replace(left, resubmit=True)]).exit_code == 4
    assert len(provider.sent) == 2
    assert stored(run).status is RunStatus.UNCERTAIN


def test_a_search_that_ctrl_c_ends_leaves_the_run_to_the_next(engine, provider, runs, killed, stored):
    (run,) = runs()
    left = killed(run, "submitting")
    provider.latency = 1000
    assert engine.interrupted([left], 1, 2).exit_code == 130
    kept = stored(run)
    assert kept.status.lost
    provider.latency = 0.05
    assert engine([replace(left, earlier=kept)]).exit_code == 0
    assert len(provider.sent) == 1


def test_an_answer_lost_within_the_process_is_found_when_all_else_is_done(engine, provider, runs, stored):
    sweep = runs(3)
    provider.answers_lost = 1
    assert engine(sweep).exit_code == 0
    assert (len(provider.sent), len(provider.created)) == (3, 3)
    assert sorted(stored(run).job_id for run in sweep) == ["video_0", "video_1", "video_2"]


def test_jobs_that_exist_are_brought_home_although_the_key_no_longer_pays(engine, provider, runs, killed, stored):
    submitted, planned, more = runs(3, max_concurrent_jobs=1)
    left = killed(submitted, "submitted")
    provider.on_submit.extend([AuthenticationError("the key is wrong")] * 3)
    engine([planned, left, more])
    assert stored(submitted).status is RunStatus.VERIFIED
    assert {stored(run).status for run in (planned, more)} == {RunStatus.FAILED, RunStatus.PLANNED}


@pytest.fixture
def second(make_provider):
    return make_provider()


@pytest.fixture
def chained(runs, configs, provider, second):
    """A run with a fallback, and what makes the provider of each choice."""
    config = configs[0]()
    (run,) = runs(config=config.model_copy(update={"fallbacks": (Fallback(provider=SECOND, model=config.model),)}))
    return run, lambda chosen: second if chosen == SECOND else provider


def test_a_run_that_fell_back_goes_on_at_its_second_choice(engine, provider, second, chained, killed, stored):
    run, create = chained
    provider.on_retrieve.append(Job("video_0", JobStatus.FAILED, "failed"))
    engine([run], create=create)
    done = stored(run)
    left = done.model_copy(update={"status": RunStatus.SUBMITTED, "artifacts": []})
    shutil.rmtree(run.directory)
    run.directory.mkdir()
    asked = len(provider.polled)
    assert engine([replace(run, config=run.config.choice(1), earlier=left)], create=create).exit_code == 0
    assert (len(provider.sent), len(second.sent)) == (1, 1)
    assert len(provider.polled) == asked
    assert (stored(run).choice, stored(run).config) == (1, run.config)


def test_a_first_choice_that_fails_after_a_resume_still_falls_back(engine, provider, second, chained, killed, stored):
    run, create = chained
    left = killed(run, "submitted", create=create)
    provider.on_retrieve.append(Job("video_0", JobStatus.FAILED, "failed"))
    assert engine([left], create=create).exit_code == 0
    assert [attempt.choice for attempt in stored(run).attempts] == [0, 1]
    assert (len(provider.sent), len(second.sent)) == (1, 1)


def test_images_that_had_come_are_checked_and_named_without_a_request(engine, provider, image_runs, killed, names):
    (run,) = image_runs(n=2)
    pictures = [noise(), noise()]
    provider.on_generate.append(coded(*pictures))
    left = killed(run, "completed")
    assert names(run.directory) == ["image-0.part", "image-1.part", "result.json"]
    assert engine([left]).exit_code == 0
    assert [(run.directory / f"image-{n}.png").read_bytes() for n in range(2)] == pictures
    assert (len(provider.sent), len(provider.polled)) == (1, 0)


def test_an_image_that_has_its_final_name_is_kept_beside_the_one_that_has_not(
    engine, provider, image_runs, killed, stored
):
    (run,) = image_runs(n=2)
    provider.on_generate.append(coded(noise(), noise()))
    left = killed(run, "completed")
    (run.directory / "image-0.part").rename(run.directory / "image-0.png")
    assert engine([left]).exit_code == 0
    assert [a.path for a in stored(run).artifacts] == ["image-0.png", "image-1.png", "thumbnail.webp"]
    assert len(provider.sent) == 1


def test_an_image_that_was_changed_meanwhile_fails_the_run_and_is_not_paid_again(
    engine, provider, image_runs, killed, stored
):
    (run,) = image_runs(n=2)
    provider.on_generate.append(coded(noise(), noise()))
    left = killed(run, "completed")
    (run.directory / "image-0.part").write_bytes(noise())
    outcome = engine([left])
    assert outcome.exit_code == 1
    assert "gone or was changed" in stored(run).error.message
    assert [a.path for a in stored(run).artifacts][:1] == ["image-1.png"], "its sibling is kept"
    assert len(provider.sent) == 1


def test_an_image_at_an_address_is_fetched_by_whoever_goes_on(engine, provider, image_runs, killed, body, stored):
    (run,) = image_runs()
    provider.on_generate.append(ImageBatch((GeneratedImage(None, "https://cdn.example/x.png", "a boat"),)))
    provider.on_fetch.append(body(noise()))
    left = killed(run, "completed")
    provider.on_fetch.append(body(noise()))
    assert engine([left]).exit_code == 0
    assert len(provider.sent) == 1
    assert stored(run).artifacts[0].revised_prompt == "a boat"


def test_images_of_which_only_the_record_was_lost_are_kept_under_their_names(
    engine, provider, image_runs, killed, stored
):
    """As after a damaged ledger: the files are named and whole, and the last record is that of the request."""
    (run,) = image_runs(n=2)
    pictures = [noise(), noise()]
    provider.on_generate.append(coded(*pictures))
    left = killed(run, "submitting")
    (run.directory / "image-0.png").write_bytes(pictures[0])
    (run.directory / "image-1.part").write_bytes(pictures[1])
    assert engine([left]).exit_code == 0
    assert [(run.directory / f"image-{n}.png").read_bytes() for n in range(2)] == pictures
    assert [a.path for a in stored(run).artifacts] == ["image-0.png", "image-1.png", "thumbnail.webp"]
    assert len(provider.sent) == 1


def test_an_earlier_answer_s_image_is_not_taken_for_a_later_one_s(engine, provider, image_runs, killed, stored):
    (run,) = image_runs()
    provider.on_generate.append(coded(noise()))
    left = killed(run, "submitting")
    (run.directory / "image-0.png").write_bytes(noise())
    again = left.earlier.attempts[0].model_copy(update={"number": 2})
    left.earlier.attempts.append(again)
    engine([left])
    assert (stored(run).status, stored(run).artifacts) == (RunStatus.UNCERTAIN, [])


@pytest.mark.parametrize("last", [b"", None, "cut"])
def test_whole_images_that_a_killed_process_left_are_kept_although_the_last_is_not_there(
    engine, provider, image_runs, killed, names, stored, last
):
    (run,) = image_runs(n=3)
    pictures = [noise(), noise(), noise()]
    provider.on_generate.append(coded(*pictures))
    left = killed(run, "submitting")
    for number, picture in enumerate([*pictures[:2], pictures[2][:-30] if last == "cut" else last]):
        if picture is not None:
            (run.directory / f"image-{number}.part").write_bytes(picture)
    outcome = engine([left])
    assert [(run.directory / f"image-{n}.png").read_bytes() for n in range(2)] == pictures[:2]
    assert outcome.exit_code == 1
    error = stored(run).error
    assert "2 of 3 images are here" in error.message
    assert (error.type, error.retryable) == ("IncompleteAnswerError", False)
    assert [artifact.path for artifact in stored(run).artifacts] == ["image-0.png", "image-1.png", "thumbnail.webp"]
    assert stored(run).spent_usd == 0.03
    assert len(provider.sent) == 1


def test_images_whose_answer_was_lost_are_uncertain_until_there_is_consent(
    engine, provider, image_runs, killed, stored
):
    (run,) = image_runs()
    provider.on_generate.append(coded(noise()))
    left = killed(run, "submitting")
    assert engine([left]).exit_code == 4
    assert "images are not jobs" in stored(run).error.message
    assert "--resubmit-uncertain" in stored(run).error.hint
    assert "--adopt" not in stored(run).error.hint
    assert (len(provider.sent), provider.listed) == (1, [])
    provider.on_generate.append(coded(noise()))
    assert engine([replace(left, earlier=stored(run), resubmit=True)]).exit_code == 0
    assert len(provider.sent) == 2


def test_a_run_that_is_tried_again_and_fails_again_has_the_new_error(engine, provider, runs, stored):
    (run,) = runs()
    provider.on_retrieve.append(Job("video_0", JobStatus.FAILED, "failed", error_message="the GPU melted"))
    engine([run])
    provider.on_retrieve.append(Job("video_1", JobStatus.FAILED, "failed", error_message="it melted again"))
    outcome = engine([replace(run, earlier=stored(run), again=True)])
    assert isinstance(outcome.errors[0], GenerationFailedError)
    assert isinstance(stored(run).error, ErrorRecord)
    assert "it melted again" in stored(run).error.message
