"""What a judge is sent, and what is made of what it says."""

from __future__ import annotations

import base64
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from PIL import Image

from runner.config import shipped
from runner.errors import ArtifactError
from runner.model_judge.pictures import PictureMaker, Wanted
from runner.model_judge.question import read_choice, read_scores

NAMES = ("hands", "overall")
SAID = {"hands": {"reason": "six fingers", "score": 2}, "overall": {"reason": "nice", "score": 4}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SAID),
        f"```json\n{json.dumps(SAID)}\n```",
        f"I see {{a fox}}. My verdict: {json.dumps(SAID)} Hope it helps!",
        json.dumps({"scores": {"Hands": 2, "Overall": 4}, "reasons": {"hands": "six fingers"}}),
        json.dumps({"hands": "2/5", "overall": "4"}),
        json.dumps({"result": {"hands": {"rating": 2}, "overall": {"rating": 4.0}}}),
    ],
)
def test_scores_are_read_however_they_come(text):
    assert read_scores(text, NAMES).scores == {"hands": 2, "overall": 4}


@pytest.mark.parametrize("half", [r"\ud83d", r"\udc4d"])
def test_half_a_character_in_an_answer_is_a_question_mark_in_what_is_kept(judge, small_server, votes, scores, half):
    said = json.dumps(SAID).replace("nice", f"nice {half}")
    small_server.answer = lambda _: (200, {"choices": [{"message": {"content": said}}]})
    assert judge(server=small_server, rubric=[{"name": "hands", "question": "?"}]) == 0

    assert {vote["verdict"]["reasons"]["overall"] for vote in votes()} == {"nice ?"}
    assert scores("judge") == {0: 4, 1: 4, 2: 4, 3: 4}


def test_without_a_score_of_the_whole_it_is_the_mean_of_the_others():
    found = read_scores('{"hands": 2, "light": 5}', ("hands", "light", "overall"))
    assert found.scores == {"hands": 2, "light": 5, "overall": 3.5}


@pytest.mark.parametrize(
    "text", ["", "lovely!", '{"hands": 7, "overall": 4}', '{"hands": true, "overall": 4}', '{"overall": 4}', "{" * 5000]
)
def test_what_holds_no_scores_is_none(text):
    assert read_scores(text, NAMES) is None


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ('{"reason": "sharper", "better": "second"}', "second"),
        ('The better one: {"winner": "A"}', "first"),
        ('{"better": "Both bad"}', "both_bad"),
        ('{"better": "neither of them, really"}', None),
        ("the second", None),
    ],
)
def test_a_choice_is_read_however_it_comes(text, better):
    found = read_choice(text)
    assert (None if found is None else found.better) == better


def test_what_is_sent(judge, small_server, configured, out):
    small_server.answer = lambda _: (200, {"choices": [{"message": {"content": json.dumps(SAID)}}]})
    rubric = [{"name": "hands", "question": "Five fingers each?"}]
    wanted = {"rubric": rubric, "max_side": 256, "temperature": 0.2, "seed": 7, "votes": 2, "instructions": "Be kind."}
    assert judge(server=small_server, extra_params={"reasoning_effort": "low", "model": "no"}, **wanted) == 0

    sent = [asked.json for asked in small_server.asked]
    assert {each["seed"] for each in sent} == {7, 8}
    first = sent[0]
    assert (first["model"], first["temperature"], first["max_completion_tokens"]) == ("gpt-5.4-mini", 0.2, 4000)
    assert first["reasoning_effort"] == "low"
    form = first["response_format"]["json_schema"]
    assert form["strict"] is True
    assert [*form["schema"]["properties"]] == ["hands", "overall"]
    system, user = first["messages"]
    assert system["role"] == "system"
    text = "\n".join(part["text"] for part in user["content"] if part["type"] == "text")
    assert "<prompt>\na fox\n</prompt>" in text or "<prompt>\na whale\n</prompt>" in text
    assert "Five fingers each?" in text
    assert "Be kind." in text
    (shown,) = [part["image_url"]["url"] for part in user["content"] if part["type"] == "image_url"]
    kind, _, data = shown.partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (256, 256)


@pytest.mark.parametrize(("form", "told"), [("json_object", {"type": "json_object"}), ("text", None)])
def test_a_server_that_knows_no_schema_is_asked_in_another_form(judge, small_server, form, told):
    small_server.answer = lambda _: (
        200,
        {"choices": [{"message": {"content": [{"type": "text", "text": json.dumps(SAID)}]}}]},
    )
    older = {"answer_form": form, "max_tokens_name": "max_tokens", "rubric": [{"name": "hands", "question": "?"}]}
    assert judge(server=small_server, **older) == 0
    sent = small_server.asked[0].json
    assert sent.get("response_format") == told
    assert sent["max_tokens"] == 4000
    assert "max_completion_tokens" not in sent


def test_an_azure_deployment_is_asked_at_its_resource(judge, make_emulator, monkeypatch, scores):
    server = make_emulator(deployments=("my-judge",))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "an-azure-key")
    azure = {**shipped.option("provider", "azure_openai"), "base_url": server.azure_url}
    assert judge(provider=azure, deployment="my-judge") == 0
    assert server.ledger()["requests"]["POST /openai/v1/chat/completions"] == 4
    assert len(scores("judge")) == 4


def test_a_file_that_takes_long_holds_up_no_end(tmp_path):
    path = tmp_path / "endless.png"
    os.mkfifo(path)
    maker = PictureMaker()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(maker.make, Wanted(path, "image/png", 1, 256))
        with path.open("wb"):  # returns once the child reads
            maker.stop()
            with pytest.raises(ArtifactError, match="endless"):
                waiting.result()
    maker.close()


def film(path, count: int, size=(320, 180)) -> None:
    """A video whose frames grow brighter."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            level = round(255 * number / max(1, count - 1))
            picture = np.full((size[1], size[0], 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("frames", "levels"), [(1, [128]), (3, [0, 128, 255]), (5, [0, 64, 128, 191, 255])])
def test_frames_of_a_video_are_evenly_spaced_and_scaled_down(tmp_path, frames, levels):
    path = tmp_path / "film.mp4"
    film(path, 25)
    maker = PictureMaker()
    made = maker.make(Wanted(path, "video/mp4", frames, 160))
    with pytest.raises(ArtifactError, match="cannot be looked at"):
        maker.make(Wanted(tmp_path / "missing.mp4", "video/mp4", frames, 160))
    maker.close()

    found = [Image.open(io.BytesIO(each)) for each in made]
    assert {image.size for image in found} == {(160, 90)}
    assert [image.convert("L").getpixel((80, 45)) for image in found] == pytest.approx(levels, abs=8)


def test_what_is_transparent_is_shown_on_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    maker = PictureMaker()
    (made,) = maker.make(Wanted(tmp_path / "clear.png", "image/png", 1, 64))
    maker.close()

    assert Image.open(io.BytesIO(made)).getpixel((4, 4)) == (255, 255, 255)
