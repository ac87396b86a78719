# One command each: make demo, make test, make quick, make test-next, make check, make audit, make bench, make bench-ray, make soak, make soak-strange, make soak-ray, make soak-judge, make reference, make drift, make screenshots.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test quick test-next check audit bench bench-ray soak soak-strange soak-ray soak-judge reference drift screenshots clean
.DEFAULT_GOAL := demo

# What pip is about to install, as it says nothing for a minute or two. Python compiles what it imports itself, and less.
define say_what
import re, sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
needed = project["dependencies"] + [each for extra in sys.argv[1:] for each in project["optional-dependencies"][extra]]
names = sorted({re.match(r"[\w-]+", each)[0] for each in needed})
print(f"installing into $(VENV)/, once, for a minute or two: {', '.join(names)}", flush=True)
endef
export say_what

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runner needs Python 3.11 or newer")'
	@$(PYTHON) -c "$$say_what"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runner needs Python 3.11 or newer")'
	@$(PYTHON) -c "$$say_what" test check
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[test,check]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[ray]' >$(VENV)/installing-ray 2>&1 || \
		echo "ray cannot be installed, and what needs it is not tested: $$(tail -n 1 $(VENV)/installing-ray | cut -c 1-200)"
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed   ## install, then make one emulated video
	@$(BIN)/python -m runner

# Each of the processes below would compile all modules for itself, as they begin at once; what fails is told there.
$(VENV)/.compiled-tests: $(VENV)/.installed-test
	@$(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1 || true
	@touch $@

# Many tests wait, so that there are more processes than cores; files in their order, as the longest has few tests.
PROCESSES = $$(($$(getconf _NPROCESSORS_ONLN) + 4))
PYTEST = -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
test: $(VENV)/.compiled-tests   ## run every test
	@$(BIN)/python $(PYTEST)

QUICK := tests/artifacts tests/display tests/doctor tests/engine tests/ledger tests/providers tests/test_*.py
# What goes through a server for seconds, or through a copy of the project, is left to `make test`.
SLOW := $(patsubst %,tests/engine/test_%.py,limits job_list_poller job_list_over_http look_for operations image_over_http \
	interrupt emulator disk directories) tests/test_contributing.py tests/test_distribution.py
quick: $(VENV)/.installed-test   ## the tests of a minute, for every save
	@$(BIN)/python $(PYTEST) $(QUICK) $(addprefix --ignore=,$(SLOW))

# With the next Hydra and OmegaConf, in a copy of the environment; what cannot be had is said and passes.
NEXT := .venv-next
NEXT_TESTS := tests/compose $(patsubst %,tests/sweep/test_%.py,sweep replicas tables) tests/app/test_earlier_sweeps.py \
	tests/app/test_own_config.py tests/commands/test_resume.py
# A copy of before pyproject.toml changed lacks what that names: it is made anew.
test-next: $(VENV)/.installed-test   ## what composes, sweeps and resumes, with the pre-releases of Hydra and OmegaConf
	@test -x $(NEXT)/bin/python && test ! pyproject.toml -nt $(NEXT)/.copied || \
		{ rm -rf $(NEXT) && cp -a $(VENV) $(NEXT) && touch $(NEXT)/.copied; }
	@if $(NEXT)/bin/python -m pip install --quiet --disable-pip-version-check \
		'hydra-core>=1.4.0rc3,<1.5' 'omegaconf>=2.4.1rc1,<2.5' >$(NEXT)/installing 2>&1; \
	then $(NEXT)/bin/python $(PYTEST) $(NEXT_TESTS); \
	else echo "the next Hydra was not tested: it cannot be installed: $$(tail -n 1 $(NEXT)/installing | cut -c 1-200)"; fi

check: $(VENV)/.installed-test audit   ## lint (ruff's S rules are bandit's), format, types and known vulnerabilities
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A vulnerability that was found fails; an advisory service that cannot be asked is said and passes.
audit: $(VENV)/.installed-test   ## known vulnerabilities of what is installed
	@$(BIN)/python -m pip_audit --skip-editable --progress-spinner off --timeout 10 >$(VENV)/audit 2>&1; \
	code=$$?; skipped=$$(grep -c 'could not be audited' $(VENV)/audit); \
	if [ $$code -ne 0 ] && grep -q '^Found [0-9]* known vulnerabilit' $(VENV)/audit; then cat $(VENV)/audit; exit 1; \
	elif [ $$code -ne 0 ]; then echo "pip-audit could not ask its advisory service: $$(tail -n 1 $(VENV)/audit | cut -c 1-200)"; \
	elif [ $$skipped -gt 0 ]; then echo "pip-audit found nothing; unknown to its advisory service: $$skipped packages"; \
	else echo "pip-audit found nothing"; fi

# Without what tests need: what is installed beside a program is a part of what it costs.
bench:   ## measure beside what one might use instead; BENCH_REPEATS=1 for a quick look
	@test -x .venv-bench/runner/bin/python || $(PYTHON) -m venv .venv-bench/runner
	@.venv-bench/runner/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@.venv-bench/runner/bin/python tests/benchmarks/bench.py

bench-ray: $(VENV)/.installed-test   ## what several workers on Ray cost, and how far they get where the network is the limit
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/ray_workers.py

SEED ?= 4
RUNS ?= 200
soak: $(VENV)/.installed-test   ## a sweep under every fault, killed at random and resumed: make soak SEED=7 RUNS=1000
	@$(BIN)/python tests/crash/soak.py --seed $(SEED) --runs $(RUNS)

SEEDS ?= 300
FIRST ?= 1
soak-strange: RUNS = 20
soak-strange: $(VENV)/.installed-test   ## small sweeps against servers of odd manners, killed, damaged and resumed: SEEDS=9 FIRST=7
	@nice $(BIN)/python tests/crash/soak_strange.py --seeds $(SEEDS) --first $(FIRST) --runs $(RUNS)

KILLS ?= 20
NODES ?= 1 2 4
soak-ray: $(VENV)/.installed-test   ## sweeps of 200 on Ray clusters, workers, nodes, commands and coordinators killed: KILLS=2 NODES="1 2" RUNS=40
	@$(BIN)/python tests/crash/soak_ray.py --seed $(SEED) --kills $(KILLS) --runs $(RUNS) --nodes $(NODES)

soak-judge: SEEDS = 5
soak-judge: FIRST = 0
soak-judge: $(VENV)/.installed-test   ## a judge under every fault, killed at random and asked again: SEEDS=9 FIRST=7
	@nice $(BIN)/python tests/crash/soak_judge.py --seeds $(SEEDS) --first $(FIRST)

reference: $(VENV)/.installed-test   ## docs/configuration.md and the schemas of conf/, anew from conf/ and the models
	@$(BIN)/python tests/docs/reference.py

drift: $(VENV)/.installed-test   ## prices, last days and successors of conf/model/ beside what LiteLLM, genai-prices and hosts publish
	@$(BIN)/python tests/config/drift.py

screenshots: $(VENV)/.installed-test   ## the pictures of the page and the terminal, anew from an emulated sweep
	@$(BIN)/python tests/browser/screenshots.py

clean:   ## remove the virtual environment and the caches; outputs/ stays
	rm -rf $(VENV) .venv-next .venv-bench .pytest_cache .mypy_cache .ruff_cache build dist
