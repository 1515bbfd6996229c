# make demo   the main job, end to end, on embedded data
# make test   every test
# make lint   ruff, mypy and clang-format
# make format  brings Python and C++ into form
# make wheels  the packages that pip installs on x86-64 and 64-bit ARM, in dist/
# make sanitize  chains and graphs under AddressSanitizer, UBSan and ThreadSanitizer
# make fuzz-delegate  a million damaged sparse tensors
# make emulate  the delegate on emulated ARM processors, in LiteRT there, and LiteRT alone
# make smoke  installs those packages, one on an emulated processor, and runs them
# make docs   the site of docs/, in site/
# make bench  cost of training, kept saliency, all of Keras' networks, a large one
# make bench-delegate  speed of the delegate, into the README
# make bench-tvm  speed of TVM builds, into the README
# Each sets up what it needs in .venv from constraints.txt.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: setup demo test lint format docs bench bench-delegate bench-tvm sanitize
.PHONY: fuzz-delegate emulate wheels smoke clean

setup: .venv/ready

# what the delegate is built from
DELEGATE := $(wildcard $(addprefix tflite_delegate/,CMakeLists.txt *.map *.cc *.h kernels/*))

CPP := $(wildcard $(addprefix tflite_delegate/,*.cc *.h */*.cc */*.h) \
	tfmot_onexn/tvm/runner/*.[ch] tests/tvm/runner/*.c \
	examples/*.c examples/android/app/src/main/cpp/*.cc)

.venv/ready: constraints.txt pyproject.toml setup.py build_backend.py $(DELEGATE)
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(PIP_INSTALL) -e .[dev]
	touch $@

.venv/ready-docs: .venv/ready
	$(PIP_INSTALL) -e .[docs]
	touch $@

# tflite_runtime needs numpy 1, so the oldest supported runtime has its own environment
.venv-tflite-runtime/ready:
	$(PYTHON) -m venv .venv-tflite-runtime
	.venv-tflite-runtime/bin/pip install --quiet --disable-pip-version-check \
		tflite-runtime==2.14.0 numpy==1.26.4
	touch $@

demo: .venv/ready
	$(BIN)/onexn demo

test: .venv/ready-dev .venv-tflite-runtime/ready
	$(BIN)/python -m pytest -n auto --dist worksteal -q

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(CPP)

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

# a warning, such as a broken link, is an error
docs: .venv/ready-docs
	$(BIN)/mkdocs build --strict

bench: .venv/ready
	$(BIN)/python -m tfmot_onexn.experiments.training_cost
	$(BIN)/python -m tfmot_onexn.experiments.mask_update
	$(BIN)/python -m tfmot_onexn.experiments.kept_saliency $(PRETRAINED)
	$(BIN)/python -m tfmot_onexn.experiments.tracing
	$(BIN)/python -m tfmot_onexn.experiments.equality
	$(BIN)/python -m tfmot_onexn.experiments.large_network

LIBRARY := libonexn_delegate.so
TESTING := PATH="$(CURDIR)/$(BIN):$$PATH" cmake

# $(call build-testing,FOLDER,TARGET,OPTIONS)
define build-testing
	$(TESTING) -S tflite_delegate -B build/$(1) -G Ninja -DONEXN_TESTING=ON $(3)
	$(TESTING) --build build/$(1) --target $(2)
endef

bench-delegate: .venv/ready-dev
	$(call build-testing,testing,onexn_testing)
	$(BIN)/python -m tfmot_onexn.experiments.speed.delegate_speed --readme README.md

bench-tvm: .venv/ready-dev
	$(call build-testing,testing,onexn_testing)
	$(BIN)/python -m tfmot_onexn.experiments.speed.tvm_speed --readme README.md

ADDRESS := -DONEXN_SANITIZE=address,undefined
THREAD := -DONEXN_SANITIZE=thread

.PHONY: sanitize-address
sanitize-address: .venv/ready-dev
	$(call build-testing,$@,onexn_harness onexn_fuzz_sparse_tensor,$(ADDRESS))

sanitize: sanitize-address
	build/sanitize-address/testing/onexn_harness 1000
	$(call build-testing,sanitize-thread,onexn_harness,$(THREAD))
	build/sanitize-thread/testing/onexn_harness 300

fuzz-delegate: sanitize-address
	build/sanitize-address/testing/onexn_fuzz_sparse_tensor \
		tflite_delegate/testing/seeds 1000000

# $(call cross,PROCESSOR,COMPILERS)
cross = -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=$(1) \
	-DCMAKE_C_COMPILER=$(2)-gcc -DCMAKE_CXX_COMPILER=$(2)-g++
EMULATED := build/emulated
# $(call emulated,ARCHITECTURE,EMULATOR): a Python on an emulated processor
emulated = PYTHONPATH=$(EMULATED)/$(1)/site $(2) -L $(EMULATED)/$(1)/root \
	$(EMULATED)/$(1)/root/usr/bin/python3.11
ARMV7 := qemu-arm-static -cpu cortex-a15
AARCH64 := qemu-aarch64-static -cpu cortex-a76
RUN_NETWORKS := tests/emulated/run_networks.py $(EMULATED)/networks

.PHONY: root-armhf root-arm64
root-armhf root-arm64: root-%: .venv/ready-dev
	tests/emulated/python_root $* $(EMULATED)/$* $(BIN)/pip constraints.txt

emulate: root-armhf root-arm64
	$(call build-testing,emulated-armv7,onexn_harness onexn_delegate,\
		$(call cross,armv7l,arm-linux-gnueabihf))
	$(call build-testing,emulated-aarch64,onexn_harness onexn_delegate,\
		$(call cross,aarch64,aarch64-linux-gnu))
	$(ARMV7) -L /usr/arm-linux-gnueabihf build/emulated-armv7/testing/onexn_harness 200
	$(AARCH64) -L /usr/aarch64-linux-gnu build/emulated-aarch64/testing/onexn_harness 200
	rm -rf $(EMULATED)/networks
	$(BIN)/python tests/emulated/make_networks.py $(EMULATED)/networks
	$(call emulated,armhf,$(ARMV7)) $(RUN_NETWORKS) build/emulated-armv7/$(LIBRARY)
	$(call emulated,arm64,$(AARCH64)) $(RUN_NETWORKS) build/emulated-aarch64/$(LIBRARY)
	qemu-x86_64-static -cpu Nehalem $(BIN)/python $(RUN_NETWORKS)
	$(BIN)/python tests/emulated/run_plans.py $(EMULATED)
	$(BIN)/python tests/emulated/print_rows.py $(EMULATED)/networks

# for pip on machines with glibc 2.17 or later, in dist/
wheels: .venv/ready-dev
	for target in x86-64-v3 aarch64-linux-gnu; do \
		TFMOT_ONEXN_TARGET=$$target $(BIN)/pip wheel --quiet --no-deps \
			--disable-pip-version-check -w dist . || exit 1; \
	done

SMOKE := build/smoke
# of wheels for 64-bit ARM; pip takes none of another system by itself
ARM64_WHEELS := --only-binary=:all: --python-version 3.11 --implementation cp \
	--abi cp311 --abi abi3 --abi none \
	$(foreach libc,2014 _2_17 _2_24 _2_26 _2_27 _2_28,--platform manylinux$(libc)_aarch64)

# each wheel, installed with all that it needs, prunes and runs a network
smoke: wheels root-arm64
	rm -rf $(SMOKE)
	$(PYTHON) -m venv $(SMOKE)/x86_64
	$(SMOKE)/x86_64/bin/pip install --quiet --disable-pip-version-check \
		-c constraints.txt dist/*x86_64.whl
	$(SMOKE)/x86_64/bin/python -P tests/emulated/smoke.py $(SMOKE)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile \
		--target $(SMOKE)/arm64 $(ARM64_WHEELS) -c constraints.txt dist/*aarch64.whl
	PYTHONPATH=$(SMOKE)/arm64 $(AARCH64) -L $(EMULATED)/arm64/root \
		$(EMULATED)/arm64/root/usr/bin/python3.11 -P tests/emulated/smoke.py $(SMOKE)

clean:
	rm -rf .venv .venv-tflite-runtime build dist site *.egg-info
	rm -f tfmot_onexn/tflite/$(LIBRARY)
