"""Our composing gives what Hydra's gives, for whatever can be overridden."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.base import Container, Node

from runner.sweep.compose import Composer

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
]


@pytest.mark.parametrize("overrides", SHAPES, ids=" ".join)
def test_composes_what_hydra_composes(loader: ConfigLoader, master: DictConfig, overrides: list[str]) -> None:
    composer = Composer(loader, master)
    # Twice with another job between: the loan of the first must leave no trace.
    theirs = outcome(lambda: loader.load_sweep_config(master, overrides))
    assert_same(composer, theirs, overrides)
    composer.compose(["request.seed=77", "+request.extra_params.trace=1", "~dry_run"])
    assert_same(composer, theirs, overrides)


@pytest.mark.parametrize("overrides", SHAPES, ids=" ".join)
def test_what_many_jobs_share_is_composed_as_hydra_composes_it(
    loader: ConfigLoader, master: DictConfig, overrides: list[str]
) -> None:
    composer = Composer(loader, master)
    batch = [[f"++request.seed={number}", *overrides, f"+mark={number}"] for number in range(20)]
    composer.expect(batch)
    assert_same(composer, outcome(lambda: loader.load_sweep_config(master, batch[7])), batch[7])


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


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jobs=st.lists(st.lists(override(), max_size=4), min_size=1, max_size=3))
def test_composes_what_hydra_composes_for_generated_jobs(
    loader: ConfigLoader, master: DictConfig, jobs: list[list[str]]
) -> None:
    composer = Composer(loader, master)
    for overrides in jobs:
        assert_same(
            composer, outcome(lambda overrides=overrides: loader.load_sweep_config(master, overrides)), overrides
        )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.lists(override(), max_size=2),
    shared=st.lists(override(), min_size=1, max_size=2),
    second=st.lists(override(), max_size=2),
)
def test_composes_what_hydra_composes_where_generated_jobs_share_something(
    loader: ConfigLoader, master: DictConfig, first: list[str], shared: list[str], second: list[str]
) -> None:
    composer = Composer(loader, master)
    jobs = [[*first, *shared, *second], shared, [*second, *shared], [*shared, *first]]
    composer.expect(jobs * 5)
    for overrides in jobs:
        assert_same(
            composer, outcome(lambda overrides=overrides: loader.load_sweep_config(master, overrides)), overrides
        )


@pytest.mark.parametrize(
    "line",
    ["request.seed=0", "request.seed=1234567890123456789", "+new.a_b-c=7", "++request.seed=10", "request.seed=007",
     "request.seed=1_000", "request.seed=-5", "request.seed= 5", "request.seed=5 ", "request.seed=1e3", "model=7",
     "~request.seed=7", "request.seed=٣", "request..seed=5", "a/b=5", "1=5", "request.=5"],
)  # fmt: skip
def test_a_number_is_read_as_hydra_reads_it(loader: ConfigLoader, master: DictConfig, line: str) -> None:
    composer = Composer(loader, master)
    outcome(lambda: composer.compose([line.partition("=")[0] + "=1"]))
    assert_same(composer, outcome(lambda: loader.load_sweep_config(master, [line])), [line])


def test_composes_plainly_what_it_does_not_know(loader: ConfigLoader, master: DictConfig) -> None:
    class Another(ConfigLoaderImpl):
        """A loader without the repository that tells groups from keys."""

        def __init__(self) -> None:
            self.load_sweep_config = loader.load_sweep_config  # type: ignore[method-assign]

    overrides = ["request.seed=1", "model=sora-2-pro"]
    theirs = outcome(lambda: loader.load_sweep_config(master, overrides))
    assert_same(Composer(Another(), master), theirs, overrides)


def test_composes_from_files_once_per_choice_of_groups(loader: ConfigLoader, master: DictConfig) -> None:
    loads = []
    composer = Composer(loader, master, inspect=loads.append)
    for seed in range(20):
        composer.compose([f"request.seed={seed}", f"model={['sora-2', 'sora-2-pro'][seed % 2]}"])
    assert len(loads) == 2


def test_what_many_jobs_share_is_applied_once(loader: ConfigLoader, master: DictConfig) -> None:
    loads = []
    composer = Composer(loader, master, inspect=loads.append)
    batch = [["request.prompt=x", f"request.seed={seed}", "model.deployment=mine"] for seed in range(20)]
    composer.expect(batch)
    for overrides in batch:
        assert composer.compose(overrides).request.prompt == "x"
    (load,) = loads
    assert (load["request"]["prompt"], load["model"]["deployment"]) == ("x", "mine")


def test_resolves_hydra_of_the_current_job_only(loader: ConfigLoader, master: DictConfig) -> None:
    with Composer(loader, master).composed(["request.prompt='${hydra:job.num}'"]) as composition:
        composition.number(7)
        HydraConfig.instance().cfg = composition.config
        assert composition.resolved_task()["request"]["prompt"] == 7
        composition.config.request.prompt = "${hydra.job.num}"
        with pytest.raises(Exception, match="hydra"):
            composition.resolved_task()


Outcome = tuple[DictConfig | None, str]


def assert_same(composer: Composer, expected: Outcome, overrides: Sequence[str]) -> None:
    theirs, refusal = expected
    ours, our_refusal = outcome(lambda: composer.compose(overrides))
    assert our_refusal == refusal
    if theirs is None or ours is None:
        return
    assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs)
    assert tree(ours) == tree(theirs)
    assert OmegaConf.get_cache(ours) == OmegaConf.get_cache(theirs)
    plain = OmegaConf.to_container(theirs, enum_to_str=True)
    hydra = {"hydra": plain.pop("hydra")}
    with composer.composed(overrides) as composition:
        assert repr((composition.task(), composition.hydra())) == repr((plain, hydra))


def outcome(compose: Callable[[], DictConfig]) -> Outcome:
    try:
        return compose(), ""
    except (HydraException, ValueError, KeyError, AssertionError, TypeError, AttributeError) as error:
        return None, f"{type(error).__name__}: {error}"


def tree(node: Node, path: str = "") -> list[object]:
    """Every node's place, class, types, flags and raw value."""
    metadata = copy.copy(node._metadata)
    metadata.resolver_cache = {}
    mine: list[object] = [(path, type(node).__name__, repr(metadata))]
    if not isinstance(node, Container) or node._is_none() or node._is_missing() or node._is_interpolation():
        return [*mine, repr(node._value())]
    if isinstance(node, DictConfig):
        children = [(str(key), node._get_node(key)) for key in node._content]
    else:
        assert isinstance(node, ListConfig)
        children = [(str(index), child) for index, child in enumerate(node._content)]
    for key, child in children:
        assert child._get_parent() is node
        mine += tree(child, f"{path}.{key}")
    return mine


def literal(value: object) -> str:
    """A value in Hydra's override grammar."""
    if isinstance(value, str):
        return value if value in ("x", "${dry_run}", "4s") else QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
