"""Our composing gives what Hydra's gives, for whatever can be overridden."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import OverrideType, Quote, QuotedString
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.compose.composer import Composed, Composer, composed, plain_value
from runner.compose.loader import GuardedLoader, parsed_override

SHAPES = [
    [],
    ["request.seed=1"],
    ["request.seed=null"],
    ["request.seed=1.5e-3"],
    ["request.seed=true"],
    ["request.prompt=a cat"],
    ["request.prompt='a, (b) {c} [d]: e=f'"],
    ['request.prompt="it\'s \\"so\\""'],
    ["request.prompt='Ein Käse 🧀, größer'"],
    ["request.prompt=${request.kind}"],
    ["request.prompt='${hydra:job.num} of ${oc.env:RUNNER_STARTED}'"],
    ["request.prompt="],
    ["request.image_list=[a.png,b.png]"],
    ["request.image_list=[]"],
    ["request.extra_params={a:1,b:{c:[1,2,{d:null}]}}"],
    ["request.extra_params={}"],
    ["+request.extra_params.new.deep=1"],
    ["+request.extra_params.list=[1,2]", "++request.extra_params.list=[3]"],
    ["+request.brand_new=1"],
    ["+brand.new=1"],
    ["+request.seed=1"],
    ["++request.seed=2"],
    ["++hard=3"],
    ["~request.seed"],
    ["~request.seed=null"],
    ["~request.seed=3"],
    ["~dry_run"],
    ["~nothing"],
    ["request={seed:4,prompt:x}"],
    ["request={unknown:4}"],
    ["dry_run=true", "dry_run=false"],
    ["request.seed.deeper=1"],
    ["request.duration_secs=4"],
    ["reqest.seed=1"],
    ["model=sora-2-pro"],
    ["model=sora-2-pro", "model.deployment=mine", "model.durations=[1,2]"],
    ["model.deployment=mine", "model=sora-2-pro"],
    ["model=sora2"],
    ["model=[sora-2,sora-2-pro]"],
    ["model@other=sora-2"],
    ["+model@other=sora-2", "other.name=x"],
    ["~model"],
    ["~model=sora-2-pro"],
    ["+model=sora-2-pro"],
    ["++model=sora-2-pro"],
    ["modle=sora-2"],
    ["request=draft", "model=sora-2-pro", "provider=openai"],
    ["+experiment=draft_vs_pro"],
    ["+experiment=draft_vs_pro", "request.prompt=other", "model=sora-2"],
    ["experiment=draft_vs_pro"],
    ["request.seed=1,2"],
    ["request.seed=choice(1,2)"],
    ["request.seed=int(3.7)"],
    ["hydra.job.name=other", "request.seed=1"],
    ["hydra.job.config.override_dirname.exclude_keys=[request.seed]", "request.seed=1", "model=sora-2-pro"],
    ["hydra.sweep.subdir=${hydra:job.override_dirname}", "request.seed=1"],
    ["hydra.job.env_copy=[RUNNER_STARTED]", "request.seed=1"],
    ["hydra/job_logging=disabled", "request.seed=1"],
    ["hydra.nothing=1"],
    ["hydra={job:{name:x}}"],
    ["hydra.searchpath=[pkg://hydra]"],
    ["request.image_list[0]=a"],
    ["request.image_list.0=a"],
    ["request.seed=[1,", "x"],
    ["provider.latency=1", "+provider.unknown=${now:%Y}"],
    ["replica=1", "objective=latency"],
    ["request.seed=007"],
    ["request.seed=1_000", "replica= 5"],
    ["request..seed=5"],
    ["request.=5"],
    ["1=5"],
    ["model=7"],
    ["a/b=5"],
]


@pytest.fixture(scope="module")
def hydras(loader: ConfigLoader) -> ConfigLoader:
    """What composes each run by Hydra, however many share a composition."""
    return GuardedLoader(GlobalHydra.instance().config_loader(), lambda _config: None)


@pytest.mark.parametrize("overrides", SHAPES, ids=" ".join)
def test_composes_what_hydra_composes(
    loader: ConfigLoader, hydras: ConfigLoader, master: DictConfig, overrides: list[str]
) -> None:
    composer = Composer(loader, master)
    # Twice with another run between: one run must leave no trace in another.
    theirs = theirs_of(hydras, master, overrides)
    assert_same(composer, theirs, overrides)
    composer.composed(["request.seed=77", "+request.extra_params.trace=1", "~dry_run"], 3)()
    assert_same(composer, theirs, overrides)


_KEYS = [
    "request.seed",
    "request.prompt",
    "request.extra_params",
    "request.extra_params.a",
    "request.new",
    "model.name",
    "provider.latency",
    "request",
    "dry_run",
    "new",
    "new.a.b",
    "request.image_list",
    "nothing.here",
]
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=90)
_SCALARS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.sampled_from(["x", "${dry_run}", "4s"]),
    _TEXT,
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def override(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["", "", "", "+", "++", "~", "group"]))
    if kind == "group":
        return draw(st.sampled_from(["model=sora-2", "model=sora-2-pro", "request=draft", "+experiment=image_quality"]))
    key = draw(st.sampled_from(_KEYS))
    if kind == "~" and draw(st.booleans()):
        return f"~{key}"
    return f"{kind}{key}={literal(draw(_VALUES))}"


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jobs=st.lists(st.lists(override(), max_size=4), min_size=1, max_size=3))
def test_composes_what_hydra_composes_for_generated_jobs(
    loader: ConfigLoader, hydras: ConfigLoader, master: DictConfig, jobs: list[list[str]]
) -> None:
    composer = Composer(loader, master)
    for overrides in jobs:
        assert_same(composer, theirs_of(hydras, master, overrides), overrides)


@given(
    mark=st.sampled_from(["", "+", "++"]),
    key=st.sampled_from(
        [
            "request.prompt",
            "run.id",
            "a.b_1.C",
            "a",
            "model",
            "hydra",
            "hydra.x",
            "hydrant",
            "a.1",
            "a..b",
            "a.b@c",
            "a/b.c",
            "a.b[0]",
        ]
    ),
    value=st.one_of(
        _TEXT.map(lambda text: f"'{text}'"),
        st.integers(-10, 10**16).map(str),
        st.sampled_from(["''", "007", "1_000", "1e3", "'a", "'a' ", " 'a'", "'it\\'s'", "'${a}'", "'a\tb'", "a b"]),
    ),
)
def test_the_simplest_lines_are_read_as_hydras_grammar_reads_them(mark: str, key: str, value: str) -> None:
    line = f"{mark}{key}={value}"
    found = plain_value(line)
    if found is None:
        return
    read = parsed_override(line)
    marks = {OverrideType.CHANGE: "", OverrideType.ADD: "+", OverrideType.FORCE_ADD: "++"}
    assert (".".join(found.path), found.mark) == (read.key_or_group, marks[read.type])
    assert (found.value, type(found.value)) == (read.value(), type(read.value()))
    assert read.package is None
    assert not read.is_sweep_override()
    assert not read.is_hydra_override()


@pytest.mark.parametrize(
    ("line", "value"), [("++run.id='ein Fuchs'", "ein Fuchs"), ("run.line=12", 12), ("+vars.style=''", "")]
)
def test_lines_of_a_table_are_of_that_kind(line: str, value: object) -> None:
    found = plain_value(line)
    assert found is not None
    assert found.value == found.resolved == value


def test_composes_from_files_once_per_choice_of_groups(loader: ConfigLoader, master: DictConfig, monkeypatch) -> None:
    loads = []
    monkeypatch.setattr(loader, "load_sweep_config", counted(loads, loader.load_sweep_config))
    composer = Composer(loader, master)
    prompts = ["x", "'${oc.env:RUNNER_STARTED}'", "'${hydra:job.num}'"]
    for seed in range(20):
        for prompt in prompts:
            values = [f"request.seed={seed}", f"model={['sora-2', 'sora-2-pro'][seed % 2]}", "+request.extra={a:1}"]
            composer.composed([*values, f"request.prompt={prompt}", f"++request.extra.b={seed}", "~dry_run"], seed)
    assert len(loads) == 6


def test_a_key_that_is_refused_is_not_composed_for_every_run(loader, master, monkeypatch) -> None:
    loads = []
    monkeypatch.setattr(loader, "load_sweep_config", counted(loads, loader.load_sweep_config))
    composer = Composer(loader, master)
    for seed in range(20):
        with pytest.raises(HydraException, match=r"request\.sed"):
            composer.composed([f"request.sed={seed}"], seed)
    assert len(loads) == 2


def test_each_value_that_is_refused_is_named_itself(loader: ConfigLoader, master: DictConfig) -> None:
    composer = Composer(loader, master)
    for line in ("++request.extra_params=[0]", "request.extra_params=[true]", "request.extra_params=[5,6]"):
        with pytest.raises(HydraException) as own:
            composer.composed([line], 0)
        with pytest.raises(HydraException) as alone:
            Composer(loader, master).composed([line], 0)
        assert str(own.value) == str(alone.value)


def test_what_is_composed_and_what_is_set_is_looked_at(loader: ConfigLoader, master: DictConfig) -> None:
    seen = []
    composer = Composer(loader, master, inspect=seen.append)
    composer.composed(["request.seed=5", "+request.new.key=[a,b]"], 0)
    assert seen[0] == {"request.seed": [5], "request.new.key": [["a", "b"]]}
    assert (seen[1]["request"]["kind"], "hydra" in seen[1]) == ("video", True)
    composer.composed(["request.seed=5", "request.seed=6"], 1)
    assert [each for each in seen if "request.seed" in each][1:] == [{"request.seed": [6]}], "each once"


def test_resolves_hydra_of_the_current_run_only(loader: ConfigLoader, master: DictConfig) -> None:
    composer = Composer(loader, master)
    for number in 7, 8:
        found = composer.composed(["request.prompt='${hydra:job.num}'", f"request.seed={number}"], number)()
        assert (found.resolved["request"]["prompt"], found.task["request"]["prompt"]) == (number, "${hydra:job.num}")
    with pytest.raises(Exception, match="hydra"):
        composer.composed(["request.prompt='${hydra.job.num}'"], 0)


def counted(loads: list, load: Callable) -> Callable:
    def loading(*arguments):
        loads.append(arguments)
        return load(*arguments)

    return loading


REFUSALS = (HydraException, OmegaConfBaseException, ValueError, KeyError, AssertionError, TypeError, AttributeError)


class Theirs(NamedTuple):
    """What Hydra makes of a run, or why it refuses to compose it, or to resolve what was composed."""

    refusal: str
    unresolved: str = ""
    what: Composed | None = None
    config: str = ""
    cache: Any = None


def theirs_of(hydras: ConfigLoader, master: DictConfig, overrides: Sequence[str]) -> Theirs:
    config, refusal = outcome(lambda: hydras.load_sweep_config(master, overrides))
    if config is None:
        return Theirs(refusal)
    what, unresolved = outcome(lambda: composed(config, 3))
    return Theirs("", unresolved, what, repr(OmegaConf.to_container(config)), OmegaConf.get_cache(config))


def assert_same(composer: Composer, theirs: Theirs, overrides: Sequence[str]) -> None:
    setup_globals()
    what, refusal = outcome(functools.partial(resolved, composer, overrides))
    # What cannot be resolved was composed, and that by Hydra's rules.
    assert refusal == (theirs.refusal or theirs.unresolved)
    assert repr(what) == repr(theirs.what)
    if theirs.what is not None:
        ours = composer.config(overrides, 3, theirs.what.directory)
        assert repr(OmegaConf.to_container(ours)) == theirs.config
        assert OmegaConf.get_cache(ours) == theirs.cache


def resolved(composer: Composer, overrides: Sequence[str]) -> Composed:
    return composer.composed(overrides, 3)()


def outcome(compose: Callable[[], Any]) -> tuple[Any, str]:
    try:
        return compose(), ""
    except REFUSALS as error:
        return None, f"{type(error).__name__}: {error}"


def literal(value: object) -> str:
    """A value in Hydra's override grammar."""
    if isinstance(value, str):
        return value if value in ("x", "${dry_run}", "4s") else QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
