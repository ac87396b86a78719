"""Whole runs at xAI, which the emulator stands in for."""

from __future__ import annotations

from PIL import Image


def test_a_video_and_an_edited_image_cost_what_xai_says(cli, make_emulator, canary, tmp_path):
    server = make_emulator(dialect="xai")
    endpoint = {"XAI_BASE_URL": server.base_url, "XAI_API_KEY": canary}
    video = ("model=grok-imagine-video", "request.duration_seconds=1", "request.resolution=480p")
    done = cli("provider=xai", *video, "provider.poll_interval=0.02", **endpoint)
    assert done.code == 0, done.err
    (made,) = done.results()
    assert made["cost"] == {"estimated_usd": 0.05, "estimated_from": "list", "actual_usd": 0.05}

    still = next(tmp_path.glob("outputs/*/*/thumbnail.webp"))
    image = ("model=grok-imagine-image-2.0", "request=image", "request.quality=low", f"request.image_list=[{still}]")
    done = cli("provider=xai", *image, **endpoint)
    assert done.code == 0, done.err
    assert 0.05 in [result["cost"]["actual_usd"] for result in done.results() if result["artifacts"][0]["width"] > 900]

    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"signature=" not in kept
    assert canary.encode() not in kept


def test_a_first_frame_alone_makes_a_video(cli, make_emulator, canary, tmp_path):
    server = make_emulator(dialect="xai")
    Image.new("RGB", (64, 36)).save(tmp_path / "first.png")
    usual = ("model=grok-imagine-video", "request.duration_seconds=1", "request.resolution=480p",
             "provider.poll_interval=0.02")  # fmt: skip
    done = cli("provider=xai", *usual, "request.prompt=", "request.image_list=[first.png]", XAI_API_KEY=canary,
               XAI_BASE_URL=server.base_url)  # fmt: skip
    assert done.code == 0, done.err
    (made,) = done.results()
    assert [each.get("prompt") for each in server.ledger()["created"]] == [""]
    assert made["cost"]["estimated_usd"] == 0.052
    shown = cli("show", str(next(tmp_path.glob("outputs/*/*"))))
    assert shown.code == 0, shown.err


def test_an_address_that_has_expired_is_asked_for_anew(cli, make_emulator, canary):
    rule = {"fault": "expired", "match": {"operation": "media"}, "times": 1}
    server = make_emulator(dialect="xai", rules=[rule])
    usual = ("model=grok-imagine-video", "request.duration_seconds=1", "request.resolution=480p",
             "provider.poll_interval=0.02")  # fmt: skip
    done = cli("provider=xai", *usual, XAI_API_KEY=canary, XAI_BASE_URL=server.base_url)
    assert done.code == 0, done.err
    assert server.ledger()["faults"] == {"expired": 1}
    assert server.ledger()["jobs"] == 1
