"""One run as a cell: where it stands, why it is not done, and what to type next."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from runner.artifacts.result import Artifact, Attempt, ErrorRecord
from runner.report.cell import address
from runner.report.page_model import PageModel, PageState
from runner.results.reading import RunGroup
from runner.results.run_key import RelativePaths

VIDEO = Artifact(path="video.mp4", bytes=10, sha256="ab", media_type="video/mp4", width=16, height=9)
MELTED = ErrorRecord(type="GenerationFailedError", code=None, message="it melted", hint="once more", retryable=True)
BROKE = ErrorRecord(type="BudgetError", code="budget.max_usd", message="no money", hint=None, retryable=False)


@pytest.fixture
def cells(here: Path):
    """The cells of a sweep in `out`."""

    def make(*results, busy: bool = False, budget=None) -> list[dict]:
        sweep = RunGroup(Path("out"), [(here / "out" / str(each.index), each) for each in results])
        page_model = PageModel([sweep], Path("out"), [budget or results[0].config.budget])
        return [*PageState(page_model, results, {0} if busy else set()).cells()]

    return make


@pytest.mark.parametrize(
    ("status", "error", "reason", "command"),
    [
        ("verified", None, None, None),
        ("planned", None, "not begun; nothing was sent", "python -m runner resume out"),
        ("submitting", None, "answer was lost", "python -m runner resume out"),
        ("submitted", None, "the job goes on at the provider", "python -m runner resume out"),
        ("uncertain", None, "answer was lost", "python -m runner resume out --resubmit-uncertain"),
        ("failed", MELTED, "it melted", "python -m runner resume out --retry-failed"),
        ("failed", MELTED.model_copy(update={"retryable": False, "type": "ContentModerationError"}), "melted", None),
    ],
)
def test_each_cell_says_why_it_is_not_done_and_what_goes_on_with_it(cells, result, status, error, reason, command):
    (cell,) = cells(result(status=status, error=error))
    assert cell["continue"] == command
    assert (cell["reason"] is None) if reason is None else (reason in cell["reason"])
    assert cell["hint"] == (error.hint if error else None)


def test_a_reason_is_told_without_the_jobs_id_which_the_cell_has_of_its_own(cells, result):
    error = MELTED.model_copy(update={"message": "the provider's filter refused job video_9d6b3d: blocked"})
    (cell,) = cells(result(status="failed", error=error, job_id="video_9d6b3d"))
    assert (cell["reason"], cell["job_id"]) == ("the provider's filter refused the job: blocked", "video_9d6b3d")


def test_previews_and_sketches_are_beside_what_was_asked_for(cells, result):
    names = ("image-0.png", "image-1.png", "remote-spritesheet.jpg")
    made = [VIDEO.model_copy(update={"path": name, "media_type": "image/png"}) for name in names]
    sketch = VIDEO.model_copy(update={"path": "partial-0.png", "media_type": "image/png"})
    (cell,) = cells(result(artifacts=made, partial_images=[sketch]))
    assert [(media["name"], media["extra"]) for media in cell["media"]] == [
        ("image-0.png", False), ("image-1.png", False), ("remote-spritesheet.jpg", True), ("partial-0.png", True),
    ]  # fmt: skip
    (cell,) = cells(result(artifacts=[], partial_images=[sketch], status="failed"))
    assert [(media["name"], media["extra"]) for media in cell["media"]] == [("partial-0.png", False)]


def test_a_run_that_is_to_be_tried_again_is_not_told_as_never_sent(cells, result):
    (cell,) = cells(result(status="planned", attempts=result().attempts))
    assert (cell["reason"], cell["spent_usd"]) == ("not begun again; nothing more was sent", 0.4)


@pytest.mark.parametrize(
    ("status", "facts", "spent"),
    [
        ("planned", {}, None),
        ("submitted", {"attempts": []}, None),
        ("submitted", {}, 0.4),
        ("failed", {"attempts": []}, 0),
        ("verified", {"attempts": [], "reused_from": "outputs/x"}, 0),
    ],
)
def test_nothing_is_told_as_spent_before_it_is_known(cells, result, status, facts, spent):
    assert cells(result(status=status, **facts), busy=True)[0]["spent_usd"] == spent


def test_while_the_sweep_is_at_work_no_cell_asks_to_be_continued(cells, result):
    planned, submitted = cells(result(0, status="planned"), result(1, status="submitted"), busy=True)
    assert {planned["continue"], submitted["continue"], planned["reason"], submitted["reason"]} == {None}
    assert (planned["repeat"], submitted["repeat"]) == (None, "python -m runner repeat out/1")
    (left,) = cells(result(0, status="planned"))
    assert left["repeat"] is None, "there is no result.json to repeat it from"


def test_a_run_that_the_budget_stopped_goes_on_with_enough_for_all(cells, result, loaded):
    budget = loaded("budget.max_usd=0.5").budget
    held = [result(number, status="planned", error=BROKE) for number in (1, 2)]
    first, *others = cells(result(0), *held, budget=budget)
    assert first["continue"] is None
    assert [each["continue"] for each in others] == ["python -m runner resume out budget.max_usd=2.00"] * 2


def test_money_times_and_files_are_those_of_the_run(cells, result):
    (cell,) = cells(result(prompt="a fox", deployment="mine", polls=7, warnings=["w"]))
    money = (cell["estimated_usd"], cell["actual_usd"], cell["spent_usd"])
    assert (money, cell["latency_seconds"]) == ((0.8, None, 0.4), 5.0)
    assert (cell["id"], cell["number"], cell["prompt"], cell["deployment"]) == ("0/0", 0, "a fox", "mine")
    assert (cell["attempts"], cell["retries"], cell["polls"], cell["warnings"]) == (1, 0, 7, ["w"])
    assert cell["times"]["submitting"] == "2026-11-23T09:30:01.000+00:00"
    (medium,) = cell["media"]
    assert medium["name"] == "video.mp4"
    assert (medium["path"], medium["poster"], medium["type"]) == ("0/video.mp4", "0/thumbnail.webp", "video/mp4")


def test_of_a_run_that_ended_early_its_partial_images_are_shown(cells, result):
    sketch = result().artifacts[0].model_copy(update={"path": "partial-0.png", "media_type": "image/png"})
    (cell,) = cells(result(status="uncertain", partial_images=[sketch]))
    (sketched,) = cell["media"]
    assert (sketched["name"], sketched["path"], sketched["poster"]) == ("partial-0.png", "0/partial-0.png", None)


def test_a_run_that_fell_back_tells_its_requests(cells, result):
    tries = [Attempt(number=n, provider="openai", started_at=result().attempts[0].started_at, usd=0.4) for n in (1, 2)]
    (cell,) = cells(result(attempts=tries))
    assert (cell["attempts"], cell["retries"], cell["spent_usd"]) == (2, 1, 0.8)


def test_a_note_finds_its_run_however_far_that_has_come(cells, result):
    before, after = cells(result(status="planned"), busy=True)[0], cells(result())[0]
    assert before["key"] == after["key"]
    assert before["key"] != cells(result(1))[0]["key"]
    assert before["key"] != cells(result(prompt="another sweep in the same place"))[0]["key"]
    longer = result().config.request.model_copy(update={"duration_seconds": 12})
    assert before["key"] != cells(result(config=result().config.model_copy(update={"request": longer})))[0]["key"]


def test_a_note_finds_its_run_in_a_sweep_that_was_moved_and_on_any_page(here, result):
    def key(sweep: RunGroup) -> str:
        page_model = PageModel([sweep], Path(), [result().config.budget])
        return PageState(page_model, [found for _, found in sweep.runs], set()).cell(0)["key"]

    run = result()
    keys = {
        key(RunGroup(Path("day/out"), [(Path("day/out/a/3"), run)])),
        key(RunGroup(here / "other/out", [(here / "other/out/a/3", run)])),
        key(RunGroup(Path("out/a/3"), [(Path("out/a/3"), run)], ways={Path("out/a/3"): Path("out")})),
    }
    assert len(keys) == 1
    assert key(RunGroup(Path("day/more"), [(Path("day/more/a/3"), run)])) not in keys
    alone, beside = (
        RunGroup(Path("day/x"), [(Path("day/x"), run)]),
        RunGroup(Path(), [(Path("day/x"), run), (Path("day/y"), run)], whole=False),
    )
    assert key(alone) == key(beside)


@pytest.mark.parametrize(
    "name", ["a b", "50%", "#1", "what?", "ü", "javascript:alert(1)", "half \udce9", "a;b&c=d", "[x]"]
)
def test_any_name_is_an_address_that_leads_back_to_it(tmp_path: Path, name: str):
    place = tmp_path / name / "sub dir"
    text = address(RelativePaths(tmp_path / "page").relative(place))
    parts = urlsplit(text)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path, errors="surrogateescape") == f"../{name}/sub dir"


def test_paths_are_told_from_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    here = RelativePaths(Path("out"))
    told = [here.relative(Path(name)) for name in ("out", "out/1", "output", "out/../2", tmp_path / "out" / "x")]
    assert told == [".", "1", "../output", "../2", "x"]
