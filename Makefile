# The two main commands: `make up` makes a scene from photos on this machine, `make test` runs the tests.
# For everything else see `.venv/bin/splat --help`.

SPLAT := .venv/bin/splat
PYTEST := .venv/bin/python -m pytest
WORKER_PYTEST := .venv-worker/bin/python -m pytest -c worker_image/pyproject.toml --rootdir .

.PHONY: up down photos-there folders-named worker test test-fast lint image machines alerts bootstrap bootstrap-test bench-cpu bench-gpu clean

# As typed: a folder's name may have spaces, quotes and dollar signs.
export SPLAT_PHOTOS = $(value PHOTOS)
export SPLAT_OUT = $(value OUT)
# Not every shell expands the ~ in NAME=~/folder.
at_home = case $$$(1) in "~/"*) $(1)=$$HOME/$${$(1)\#"~/"};; esac

up: photos-there bootstrap ## deploy the local stack and make a scene; PHOTOS=dir for your own photos, PORT=n for another port
	@$(SPLAT) up $${SPLAT_PHOTOS:+--photos "$$SPLAT_PHOTOS"} $(if $(PRESET),--preset $(PRESET)) $(if $(PORT),--port $(PORT))

down: ## destroy the local stack and its local cloud
	@if [ -x $(SPLAT) ]; then $(SPLAT) down; else echo "Nothing is deployed here."; fi

test: bootstrap-test ## every test
	@scripts/test all

test-fast: bootstrap-test ## the tests without an engine, browser or processes: under two minutes
	@scripts/test fast

lint: bootstrap-test
	@scripts/test lint

image: bootstrap-test ## build the worker image with a Docker engine of its own (as root), and run a job in it
	@scripts/test image

machines: bootstrap-test ## make up on new machines (as root: Debian systems made by debootstrap)
	@scripts/test machines

alerts: bootstrap-test ## every Prometheus alert under its fault on the local cloud, with Debian's Prometheus
	@scripts/test alerts

photos-there: # before set-up, which takes minutes
	@$(call at_home,SPLAT_PHOTOS); \
	if [ -n "$$SPLAT_PHOTOS" ] && [ ! -e "$$SPLAT_PHOTOS" ]; then \
	  printf '%s does not exist.\nhint: set PHOTOS to the folder that holds your photos, or to a clip\n' "$$SPLAT_PHOTOS" >&2; exit 1; fi

bootstrap:
	@scripts/bootstrap

bootstrap-test:
	@scripts/bootstrap --test

folders-named:
	@[ -n "$$SPLAT_PHOTOS" ] && [ -n "$$SPLAT_OUT" ] || { echo "hint: make worker PHOTOS=dir-or-clip.mp4 OUT=dir [PRESET=preview|standard|high]" >&2; exit 1; }

worker: folders-named photos-there bootstrap ## make a scene without a cloud: make worker PHOTOS=dir-or-clip.mp4 OUT=dir PRESET=standard
	@$(call at_home,SPLAT_PHOTOS); $(call at_home,SPLAT_OUT); \
	kernels=$$(scripts/gpu-kernels) || exit 1; [ -z "$$kernels" ] || export SPLAT_KERNELS="$$kernels"; \
	NUMBA_CACHE_DIR=.tools/kernels .venv-worker/bin/python -m splat_worker $(if $(PRESET),--preset $(PRESET)) $(if $(SUBJECT),--subject) $(addprefix --also ,$(ALSO)) -- "$$SPLAT_PHOTOS" "$$SPLAT_OUT"

bench-cpu: bootstrap-test ## PSNR against seconds on this CPU; OPENSPLAT=path to compare
	NUMBA_CACHE_DIR=.tools/kernels .venv-worker/bin/python -m bench.cpu $(if $(OPENSPLAT),--opensplat "$(OPENSPLAT)")

bench-gpu: ## on a machine with an NVIDIA GPU: see bench/README.md
	python3 -m bench.gpu.run $(ARGS)

clean: down ## remove what bootstrap installed
	rm -rf .venv .venv-worker .tools edge_worker/node_modules edge_worker/dist worker_image/tools/node_modules
