# make: what there is to do. Needs python3 (3.10 or newer); the first run sets itself up in .venv.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.installed-demo
EXTRAS := dev,onnx,search,tensorboard,cluster
ZOO := .venv-zoo
ROOMS := amc envs agents netadapt experiments

.PHONY: help demo test test-zoo docs lint format clean

help:
	@echo "make demo    a network in a third of its time: a search, uniform and hand-set ratios compared (some 5 minutes)"
	@echo "make test    lint, then every test (9 to 10 minutes on 2 cores)"
	@echo "make test-zoo  136 networks of five packages, in .venv-zoo (6 GB; over an hour); ZOO_FLAGS=--quick for a few"
	@echo "make docs    the documentation as a site, in build/site"
	@echo "make lint    ruff and mypy"
	@echo "make format  let ruff rewrite what it can"
	@echo "make clean   remove the environment and the caches; runs/ stays"
	@echo "PYTHON=python3.12 make ... picks another Python for a new environment"

# A newcomer waits for what the demonstration needs alone; where all is there already, nothing is installed.
demo: $(if $(wildcard $(STAMP)),$(STAMP),$(DEMO))
	@$(RUN) experiments.demo

test: lint
	@$(RUN) pytest

# The newest torch, in an environment of its own: torchvision and timm do not import beside the CPU build.
test-zoo: $(ZOO)/.installed
	@$(ZOO)/bin/python -m pytest -o addopts= -q -rs -k "segmentation or detection" tests/experiments/docs/test_real_work.py
	@$(ZOO)/bin/python -m experiments.studies.architectures $(ZOO_FLAGS)

$(ZOO)/.installed: constraints-zoo.txt
	@rm -f $@
	@echo "Installing into $(ZOO): 6 GB, a few minutes."
	@$(PYTHON) -m venv --clear $(ZOO)
	@$(ZOO)/bin/python -m pip install -qq --disable-pip-version-check -c constraints-zoo.txt \
		torch torchvision timm transformers segmentation-models-pytorch ultralytics torch-pruning \
		scipy safetensors pydantic click joblib rich pyyaml jinja2 scikit-learn gymnasium stable-baselines3 \
		cmaes optuna torchmetrics pycocotools onnx onnxscript onnxruntime pytest pytest-timeout hypothesis
	@touch $@

docs: $(STAMP)
	@$(RUN) mkdocs build --quiet && echo "documentation: build/site/index.html"

lint: $(STAMP)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

format: $(STAMP)
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

clean:
	rm -rf $(VENV) $(ZOO) .venv-peers build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(ROOMS) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp comes last, so that an interrupted install is taken up again. The two variables hold the
# build's own environment to the same versions (older pip reads the first, newer pip the second).
define install
@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("needs Python 3.10 or newer, and $(PYTHON) is %d.%d: name another one, as in PYTHON=python3.12 make" % sys.version_info[:2])'
@rm -f $@
@echo "Installing into $(VENV): a few minutes the first time, seconds later on."
@$(VENV)/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(RUN) pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$(1)]'
@touch $@
endef

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(call install,$(EXTRAS))

$(DEMO): setup.cfg pyproject.toml constraints.txt
	$(call install,onnx)
