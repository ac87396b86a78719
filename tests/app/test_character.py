"""`python -m runner character`: made once, found again, refused where there is none."""

from __future__ import annotations


def test_a_character_is_made_of_a_video_and_found_again(quick, cli, server, canary):
    video = next(quick("request=draft").cwd.glob("outputs/*/*/video.mp4"))
    keys = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": canary}
    made = cli("character", "create", str(video), "--name", "Otto", "provider=openai", **keys)
    assert made.code == 0, made.err
    character_id, name, *_ = made.out.split()
    assert name == "Otto"
    found = cli("character", "show", character_id, "provider=openai", **keys)
    assert found.out == made.out
    assert canary not in made.out + made.err


def test_a_lost_answer_is_uncertain_and_the_upload_is_not_repeated(quick, cli, make_emulator, canary):
    video = next(quick("request=draft").cwd.glob("outputs/*/*/video.mp4"))
    rule = {"match": {"operation": "character"}, "nth": 1, "fault": "drop_after_commit"}
    server = make_emulator(rules=[rule])
    done = cli("character", "create", str(video), "--name", "Otto", "provider=openai",
               OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)  # fmt: skip
    assert done.code == 4, done.err
    assert sum(count for route, count in server.ledger()["requests"].items() if "characters" in route) == 1


def test_what_cannot_be_made_is_refused(cli):
    cli("character", "create", "none.mp4", "--name", "Otto").refused("there is no video none.mp4")
    cli("character", "create", "none.mp4", "--name", "Otto", "provider=sglang").refused("have no characters")
    cli("character", "create", "none.mp4", "--name", "Otto", "provider=openai").refused("OPENAI_API_KEY")
    cli("character").refused("required")


def test_an_unknown_character_is_an_error_of_the_server(cli):
    done = cli("character", "show", "char_unknown")
    assert done.code == 1
    assert "Traceback" not in done.err
