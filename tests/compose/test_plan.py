"""A planned run is what Hydra's own launcher would have made of the same overrides."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from runner.compose.plan import Planner
from runner.config.run import SWEEP_KEYS
from runner.ledger.summary import NotFinishedError
from runner.sweeps.launcher import job_return

JOBS = [
    ["request.seed=1"],
    ["model=sora-2-pro", "request.prompt='run ${hydra:job.num}, in ${hydra:runtime.output_dir}'"],
    ["+experiment=draft_vs_pro", "+request.extra_params={a:[1,{b:2}]}"],
    ["hydra.sweep.subdir=${hydra:job.override_dirname}", "request.seed=3"],
    ["hydra.sweep.dir=elsewhere/${hydra.job.num}", "hydra.sweep.subdir=${request.kind}", "hydra.verbose=[a]"],
    ["hydra.output_subdir=null", "request.seed=4"],
    [
        "hydra.output_subdir=.config",
        "request.prompt='Käse 🧀, größer als alles, was man je auf einer Zeile gesehen hat'",
    ],
]


@pytest.mark.parametrize("overrides", JOBS, ids=" ".join)
def test_leaves_what_hydra_leaves(
    loader: ConfigLoader, master: DictConfig, planner: Planner, here: Path, overrides: list[str]
) -> None:
    theirs = hydras_own(loader, master, overrides)
    expected = read(here)
    directory = Path(theirs.hydra_cfg.hydra.runtime.output_dir)
    for path in expected:
        path.unlink()

    plan = planner.plan([overrides], first=5)
    assert plan.findings == []
    (run,), (composition,) = plan.runs, plan.compositions.values()
    assert run.directory == directory
    composition.create_directory(directory)

    assert read(here) == expected
    ours = job_return(run, None, None, composition.config)
    assert ours.overrides == theirs.overrides
    assert ours.working_dir == theirs.working_dir
    assert OmegaConf.to_yaml(ours.cfg) == OmegaConf.to_yaml(theirs.cfg)
    assert OmegaConf.to_yaml(ours.hydra_cfg) == OmegaConf.to_yaml(theirs.hydra_cfg)
    assert ours.task_name == theirs.task_name


def test_a_fallback_that_jobs_share_takes_each_job_s_own_provider(planner: Planner) -> None:
    plan = planner.plan([["fallbacks=[{model: sora-2-pro}]", f"provider.timeout={n}"] for n in range(1, 21)])
    assert plan.findings == []
    assert [run.config.fallbacks[0].provider.timeout for run in plan.runs] == list(range(1, 21))
    assert all(run.config.fallbacks[0].provider == run.config.provider for run in plan.runs)


def test_a_fallback_without_a_provider_has_the_run_s_own_to_the_key(planner: Planner, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")
    plan = planner.plan([["fallbacks=[{model: sora-2-pro}]", "provider=openai", "~provider.base_url"]])
    assert plan.findings == []
    (config,) = (run.config for run in plan.runs)
    assert (config.provider.base_url, config.fallbacks[0].provider) == (None, config.provider)


@pytest.mark.parametrize("missing", ["hydra.sweep=???", "hydra.sweep.dir=???"])
def test_a_missing_place_is_a_finding(planner: Planner, missing: str) -> None:
    plan = planner.plan([[missing, "replica=0"], ["replica=1"]])
    assert [finding.run for finding in plan.findings] == [0]
    assert "issing" in plan.findings[0].problem.message


def test_resolves_the_config_while_hydra_is_set_to_the_job(planner: Planner) -> None:
    plan = planner.plan([["request.prompt='take ${hydra:job.num}'"]] * 2, first=3)
    assert [run.config.request.prompt for run in plan.runs] == ["take 3", "take 4"]


def test_collects_every_jobs_problems_instead_of_stopping_at_the_first(planner: Planner) -> None:
    jobs = [
        ["request.duration_secs=4"],
        ["model=sora2"],
        ["request.seed=1"],
        ["request.seed=many"],
        ["request.prompt=${nowhere}"],
        ["hydra.job.chdir=true"],
        ["+hydra.job.env_set.FOO=bar"],
        ["request.prompt=it's"],
        ["reqest.seed=1"],
        ["modle=sora-2"],
        ["model=sora-2", "++model.prompt_length=3"],
        ["request.extra_params={a:1}"],
        ["provider=compatible", "provider.headers_env={X-Key:KEY}"],
    ]
    plan = planner.plan(jobs)
    said = {finding.run: f"{finding.problem}" for finding in plan.findings}
    assert [run.index for run in plan.runs if run.index not in said] == [2]
    assert [*said] == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert said[0] == "request.duration_secs: is no key here (did you mean request.duration_seconds?)"
    assert "'sora2' is no option" in said[1]
    assert said[1].endswith("(did you mean model=sora-2?)")
    assert "request.seed" in said[3]
    assert "request.prompt: cannot be resolved" in said[4]
    assert "hydra.job.chdir: cannot be true" in said[5]
    assert "hydra.job.env_set: cannot be set (FOO)" in said[6]
    assert "bar" not in said[6]
    assert "prompt_file" in said[7]
    assert said[8] == "reqest.seed: is no key here (did you mean request.seed?)"
    assert said[9] == "modle: is no key here (did you mean model?)"
    assert said[11] == (
        "request.extra_params.a: is no key here (what is not there yet takes a plus: +request.extra_params=…)"
    )
    assert said[10].startswith("model.prompt_length: is no key here")
    assert said[12].endswith("(what is not there yet takes a plus: +provider.headers_env=…)")


def test_a_credential_in_a_swept_config_file_is_refused(
    loader: ConfigLoader, master: DictConfig, tmp_path: Path
) -> None:
    leaky = tmp_path / "provider"
    leaky.mkdir()
    (leaky / "leaky.yaml").write_text("kind: openai\napi_key: sk-0123456789abcdefghij\n")
    jobs = [[f"hydra.searchpath=[file://{tmp_path}]", "provider=leaky"]]
    plan = Planner(loader, master).plan(jobs)
    assert plan.runs == []
    (finding,) = plan.findings
    assert "provider.api_key" in str(finding.problem)
    assert "sk-0123456789" not in str(finding.problem)


def test_no_omegaconf_object_outlives_its_run(planner: Planner) -> None:
    planner.plan([["request.seed=1"]])
    before = configs_alive()
    plan = planner.plan([[f"request.seed={seed}"] for seed in range(50)])
    assert len(plan.runs) == 50
    assert configs_alive() - before < 10


def test_runs_share_equal_provider_and_model_objects(planner: Planner) -> None:
    plan = planner.plan([["request.seed=1"], ["request.seed=2"], ["model=sora-2-pro"]])
    first, second, third = (run.config for run in plan.runs)
    assert first.provider is second.provider is third.provider
    assert first.model is second.model
    assert third.model is not first.model


def test_a_pickled_job_return_holds_everything(planner: Planner) -> None:
    import pickle

    plan = planner.plan([["request.seed=1"]])
    thawed = pickle.loads(pickle.dumps(job_return(plan.runs[0], None, None, plan.compositions[0].config)))
    assert thawed.cfg.request.seed == 1
    assert thawed.hydra_cfg.hydra.job.num == 0
    with pytest.raises(NotFinishedError, match="planned"):
        _ = thawed.return_value


def read(place: Path) -> dict[Path, str]:
    """Every YAML file below `place` as OmegaConf reads it, without the sweep's own keys: a run has no part in those."""
    found = {path: OmegaConf.load(path) for path in place.rglob("*.yaml")}
    for config in found.values():
        for key in SWEEP_KEYS & set(config) if isinstance(config, DictConfig) else ():
            del config[key]
    return {path: repr(config) for path, config in found.items()}


def configs_alive() -> int:
    gc.collect()
    return sum(type(each) is DictConfig for each in gc.get_objects())


def hydras_own(loader: ConfigLoader, master: DictConfig, overrides: list[str]):
    """The job as Hydra's basic launcher runs it, without its logging."""
    setup_globals()
    config = loader.load_sweep_config(master, overrides)
    with open_dict(config):
        config.hydra.job.id = "5"
        config.hydra.job.num = 5
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    return run_job(lambda _: None, config, "hydra.sweep.dir", "hydra.sweep.subdir", context, configure_logging=False)
