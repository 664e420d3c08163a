# Everything a newcomer types. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --resume begins anew where there is nothing to go on from
TRAIN := $(BIN)/python -m torchserve_model.train --resume
# pip-compile reads the index from the environment and writes none into the locks
COMPILE = $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-trusted-host \
          --no-emit-find-links --no-header --annotation-style=line

# Images: the engine, podman or docker; its own flags and those of its builds come from outside, if any.
ENGINE ?= podman
PODMAN_FLAGS ?=
BUILD_FLAGS ?=
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
BUILD = $(ENGINE) $(PODMAN_FLAGS) build $(BUILD_FLAGS) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION)
SERVER_IMAGE := localhost/animation-server:$(VERSION)
MODEL_IMAGE := localhost/torchserve-model:$(VERSION)-cpu
MODEL_GPU_IMAGE := localhost/torchserve-model:$(VERSION)-gpu
REDIS_IMAGE := localhost/animation-redis:$(VERSION)
S3_IMAGE := localhost/animation-s3:$(VERSION)
export ENGINE PODMAN_FLAGS

FUZZ_SECONDS ?= 20
FUZZ_TARGETS ?= $(notdir $(wildcard fuzz/corpus/*))

.DEFAULT_GOAL := help
.PHONY: help demo pod test test-fast lint format bench-models bench-finding bench-render bench-request images pod-test image-gpu test-images sbom airgap protos fuzz audit lock archives models clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.server ## start the server, post a sample drawing, print the URLs of three GIFs
	$(BIN)/python -m animation_server.cli.demo docs/sample_drawing.jpg

pod: $(VENV)/.dev archives ## the real processes on localhost: TorchServe, gunicorn and an S3 server
	$(BIN)/python -m tests.parts.pod

test: $(VENV)/.dev archives ## run all tests
	$(BIN)/python -m pytest

test-fast: $(VENV)/.dev ## run the tests that take no more than a few seconds each
	$(BIN)/python -m pytest -m "not slow"

lint: $(VENV)/.dev ## ruff, strict mypy, bandit, and pip-audit where its advisories can be reached
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive animation_server torchserve_model bvh_tools
	requirements/audit.sh --if-reachable $(BIN)/pip-audit requirements/*.txt

format: $(VENV)/.dev ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-models: $(VENV)/.dev archives ## time the models, embedded and in TorchServe
	$(BIN)/python -m benchmarks.models

bench-finding: $(VENV)/.dev ## measure finds and false finds on synthetic sheets
	$(BIN)/python -m benchmarks.finding

bench-request: $(VENV)/.dev archives ## time one warm request through the real processes
	$(BIN)/python -m benchmarks.request

bench-load: $(VENV)/.dev archives ## some eight minutes of load on the real processes; see docs/scaling.md
	$(BIN)/python -m benchmarks.load --json benchmarks/load.json
	$(BIN)/python -m benchmarks.capacity compare

bench-render: $(VENV)/.dev ## time the renderer stage by stage
	$(BIN)/python -m benchmarks.render

fuzz: $(VENV)/.dev ## fuzz what reads others' bytes, each target for FUZZ_SECONDS=20; see docs/security.md
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/pip install --quiet "atheris>=3.0" # only Linux has wheels
	for target in $(FUZZ_TARGETS); do $(BIN)/python -m fuzz.run $$target $(FUZZ_SECONDS) || exit 1; done

audit: $(VENV)/.dev ## look for known vulnerabilities in the pinned dependencies; fails where it gets no answer
	requirements/audit.sh $(BIN)/pip-audit requirements/*.txt

archives: $(VENV)/.dev var/models/.built ## pack the models for TorchServe into var/models

models: $(VENV)/.dev ## train the networks from nothing as the weights here were, some four hours on two cores
	$(TRAIN) detector --steps 1800 --out models/detector-1
	$(TRAIN) detector --steps 2000 --small-part 0.4 --learning-rate 0.0015 --seed 1 \
	  --start-from models/detector-1/checkpoint.pt --out models/detector-2
	$(TRAIN) detector --steps 900 --small-part 0.3 --learning-rate 0.0012 --seed 2 \
	  --start-from models/detector-2/checkpoint.pt --out models/detector-3
	$(TRAIN) pose --steps 2000 --out models/pose-1
	$(TRAIN) pose --steps 1300 --small-part 0.3 --learning-rate 0.0015 --seed 1 \
	  --start-from models/pose-1/checkpoint.pt --out models/pose-2
	$(TRAIN) pose --steps 1400 --small-part 0.4 --learning-rate 0.0012 --seed 2 \
	  --start-from models/pose-2/checkpoint.pt --out models/pose-3
	$(TRAIN) detector --steps 2400 --small-part 0.4 --learning-rate 0.0015 --seed 3 \
	  --start-from models/detector-3/checkpoint.pt --out models/detector-4
	$(TRAIN) pose --steps 3200 --small-part 0.4 --learning-rate 0.0015 --seed 3 \
	  --start-from models/pose-3/checkpoint.pt --out models/pose-4
	$(BIN)/python -m torchserve_model.export --detector models/detector-4/checkpoint.pt --pose models/pose-4/checkpoint.pt

images: $(VENV)/.dev ## build the images; print what they weigh, layer by layer
	$(BUILD) -t $(SERVER_IMAGE) -f docker/animation_server.Dockerfile .
	$(BUILD) -t $(MODEL_IMAGE) -f docker/torchserve_model.Dockerfile .
	$(BUILD) -t $(REDIS_IMAGE) -f docker/redis.Dockerfile .
	$(BUILD) -t $(S3_IMAGE) -f docker/s3.Dockerfile .
	$(BIN)/python docker/image_sizes.py docker/image_sizes.json animation-server=$(SERVER_IMAGE) \
	  torchserve-model-cpu=$(MODEL_IMAGE) animation-redis=$(REDIS_IMAGE)

image-gpu: $(VENV)/.dev ## build the model image for GPUs; print what it weighs
	$(BUILD) --build-arg VARIANT=gpu -t $(MODEL_GPU_IMAGE) -f docker/torchserve_model.Dockerfile .
	$(BIN)/python docker/image_sizes.py docker/image_sizes.json torchserve-model-gpu=$(MODEL_GPU_IMAGE)

test-images: $(VENV)/.dev ## run the built images: read-only, without rights, ended by a signal
	SERVER_IMAGE=$(SERVER_IMAGE) MODEL_IMAGE=$(MODEL_IMAGE) $(BIN)/python -m pytest tests/docker

pod-test: $(VENV)/.dev images ## play the Kubernetes pod under podman: drawings in, containers killed, SIGTERM
	SERVER_IMAGE=$(SERVER_IMAGE) MODEL_IMAGE=$(MODEL_IMAGE) $(BIN)/python -m pytest tests/k8s/test_played_pod.py

sbom: ## list what is in the built images: SPDX documents and licences in build/sbom
	mkdir -p build/sbom
	for image in $(SERVER_IMAGE) $(MODEL_IMAGE); do \
	  name=$$(basename $${image%%:*}); \
	  run="$(ENGINE) $(PODMAN_FLAGS) run --rm --interactive --network none --entrypoint python $$image -"; \
	  $$run $$name $(VERSION) < docker/sbom.py > build/sbom/$$name.spdx.json || exit 1; \
	  $$run $$name $(VERSION) --licences < docker/sbom.py > build/sbom/$$name.licences.tsv || exit 1; \
	done

airgap: $(VENV)/.dev images ## one archive with images, manifests and a script that installs; tried without a network
	docker/airgap.sh build/animation-$(VERSION)-airgap.tar $(VERSION) $(SERVER_IMAGE) $(MODEL_IMAGE) $(REDIS_IMAGE)
	AIRGAP_ARCHIVE=build/animation-$(VERSION)-airgap.tar $(BIN)/python -m pytest tests/docker/test_airgap.py

protos: $(VENV)/.dev ## compile the messages that pass between the server and TorchServe
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. animation_server/inference/torchserve_wire.proto

lock: $(VENV)/.dev ## refresh the pinned dependencies in requirements/
	$(COMPILE) --upgrade --extra model --extra dev --output-file requirements/dev.txt pyproject.toml
	sed -i 's/+cpu//' requirements/dev.txt # a local build of torch locks as the release it was built from
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/server.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/model.txt requirements/model.in
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/archives.txt requirements/archives.in
	sed -i 's/+cpu//' requirements/model.txt requirements/archives.txt

clean: ## remove what the other targets made, the environment included
	rm -rf $(VENV) var build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is `$(PYTHON) --version`. Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is needed. On Debian: apt-get install python3-venv" >&2; exit 1; }

# An environment is either the server's or the developer's, which holds the server's.
$(VENV)/.server: requirements/server.txt pyproject.toml | $(VENV)/bin/pip
	@test -e $(VENV)/.dev || $(BIN)/pip install --quiet --disable-pip-version-check -r requirements/server.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

var/models/.built: $(wildcard torchserve_model/weights/*) $(wildcard torchserve_model/handlers/*.py torchserve_model/*.py)
	$(BIN)/python -m torchserve_model.archive -o var/models
	@touch $@
