# SPDX-License-Identifier: BSD-2-Clause
#
# `make help` lists the targets. A variant is a compiler with its flags; each
# builds into build/<variant>/, laid out like the sources. Suites of `make check`
# are targets too: `make unit-gcc-san` runs one of them. V=1 shows the commands.

GCC   := gcc
CLANG := clang
GXX   := g++
CLANGXX := clang++
PYTHON := python3

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes \
	-Wswitch-enum -Wvla -Wimplicit-fallthrough -Werror
BASE := -std=c11 -g -Icore $(WARN)
comma := ,
HOST := -D_GNU_SOURCE -Iports/common -Isim -Iconformance # beside the core
SUITE := -ffreestanding -Iconformance -Iconformance/device # no libc at all
SAN  := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
SIMARCH  := -DVBLK_ARCH_H='"sim_arch.h"' -Isim
TSANARCH := -DVBLK_ARCH_H='"tsan_arch.h"' -Icore/test

VERSION := 0.1.0

# --- sources ------------------------------------------------------------------

CORE     := $(sort $(wildcard core/*.c))
HEADERS  := $(sort $(wildcard core/vblk/*.h))
UNIT     := $(sort $(wildcard core/test/test_*.c))
UNITHELP := $(sort $(filter-out $(UNIT) %/mq_threads.c %/bench.c, \
	      $(wildcard core/test/*.c)))
DT       := $(sort $(wildcard ports/common/dt*.c)) # needs libfdt, the rest not
COMMON   := $(sort $(filter-out $(DT),$(wildcard ports/common/*.c)))
DTTEST   := $(sort $(wildcard ports/common/test/test_dt*.c)) # one program
TREES    := $(sort $(wildcard ports/common/test/dt/*.dts))
SIMTREES := $(sort $(wildcard sim/test/dt/*.dts))
STORE    := $(sort $(filter-out $(DTTEST),$(wildcard ports/common/test/*.c)))
SIM      := $(sort $(wildcard sim/*.c))
SIMRUN   := $(sort $(wildcard sim/test/run_*.sh))
DEMO     := $(sort $(wildcard sim/demo/*.c))
TEMPLATE := $(sort $(wildcard ports/template/*.c))
VHOSTUSER := $(sort $(wildcard ports/vhost-user/*.c))
XEN      := $(sort $(wildcard ports/xen/*.c))
CLIENT   := $(sort $(wildcard conformance/*.c)) # shares no code with the core
DEVTESTS := $(sort $(wildcard conformance/device/*.c)) # nor do these
CONFORM  := $(sort $(wildcard conformance/host/*.c)) \
	      $(addprefix conformance/,front.c front_calls.c memory.c)
GUESTIMG := $(sort $(wildcard conformance/guest/*.c conformance/guest/*.S \
	      conformance/device/*.c)) # bare metal: neither with libc
HAL      := $(filter-out %/sim.c %/vhost_user.c %/xen.c %/slow_disk.c %/vhost_export.c,\
	      $(sort $(wildcard conformance/hal/*.c))) # a fixture and a program each
SANDBOX  := $(addprefix ports/vhost-user/,sandbox.c test/test_sandbox.c \
	      test/inject.c)
INJECT   := $(addprefix ports/vhost-user/test/,inject.c inject_main.c)

# --- variants -----------------------------------------------------------------

VARIANTS := gcc clang gcc-san clang-san m32 tsan sim sim-clang sim-san release \
	    release-clang cover cover-sim fuzz tsan-port xen-arm64 guest

# Stores are tested through seams that only these four have
STORETEST := -DSTORE_TEST
gcc       := $(GCC) -O2 $(STORETEST)
clang     := $(CLANG) -O2 $(STORETEST)
gcc-san   := $(GCC) $(SAN) $(STORETEST) -Wno-conversion # UBSan's own arithmetic sets it off
clang-san := $(CLANG) $(SAN) $(STORETEST)
m32       := $(GCC) -m32 -O2 -Itools/minicheck
tsan      := $(CLANG) -O1 -fsanitize=thread $(TSANARCH)
sim       := $(GCC) -O2 $(SIMARCH)
sim-clang := $(CLANG) -O2 $(SIMARCH)
sim-san   := $(CLANG) $(SAN) -O2 $(SIMARCH)
release   := $(GCC) -O2
release-clang := $(CLANG) -O2
fuzz      := $(CLANG) $(SAN) -fsanitize=fuzzer
tsan-port := $(CLANG) -O1 -fsanitize=thread $(TSANARCH)
xen-arm64  = aarch64-linux-gnu-gcc -O2 -isystem $(SYSROOT)/usr/include \
	-isystem $(SYSROOT)/usr/include/aarch64-linux-gnu
guest     := aarch64-linux-gnu-gcc -Os -ffreestanding -isystem \
	conformance/guest/libc -Iconformance/device -fpie -fvisibility=hidden \
	-march=armv8-a -mgeneral-regs-only -mstrict-align -mno-outline-atomics \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-common \
	-ffunction-sections -fdata-sections
cover     := $(GCC) -O0 --coverage
cover-sim := $(GCC) -O0 --coverage $(SIMARCH)

# The observer of the HAL tests sits between the lane and its port
HALWRAP := $(addprefix -Wl$(comma)--wrap=,vblk_lane_init vblk_lane_event \
	vblk_mem_add vblk_mem_reap vblk_mem_evict vblk_mmio_save)
DISKWRAP := $(addprefix -Wl$(comma)--wrap=,pread preadv2 pwrite pwritev2 fdatasync)

FLAGS-options.c := -DVERSION='"$(VERSION)"'

# Xen's libraries for the machine that the test bed emulates; looked for once,
# by who builds for it
SYSROOT = $(eval SYSROOT := $(shell ports/xen/testbed/build --print sysroot))$(SYSROOT)
XENLIBS := -lxendevicemodel -lxenforeignmemory -lxenevtchn -lxengnttab \
	-lxenstore -lxentoollog
XENLINK  = -L$(SYSROOT)/usr/lib/aarch64-linux-gnu \
	-Wl,-rpath-link,$(SYSROOT)/usr/lib/aarch64-linux-gnu

CHECKLIB = $(shell pkg-config --libs check)

obj = $(patsubst %.S,build/$(1)/%.o,$(patsubst %.c,build/$(1)/%.o,$(2)))

# The core is compiled as strict C11; what runs on Linux may use its functions.
# m32 has no libcheck to link: tools/minicheck is all in its header.
define variant
build/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(call say,CC)$(firstword $($(1))) $(BASE) $(wordlist 2,99,$($(1))) \
		$$(if $$(filter $$<,$(DEVTESTS)),$(SUITE), \
		$$(if $$(filter $$<,$(CORE)),,$(HOST))) \
		$$(if $$(filter conformance/host/%,$$<),-Iconformance/device) \
		$$(FLAGS-$$(notdir $$<)) \
		-MMD -MP -c -o $$@ $$<

build/$(1)/%.o: %.S Makefile
	@mkdir -p $$(@D)
	$$(call say,AS)$(firstword $($(1))) -g -c -o $$@ $$<

build/$(1)/core/test/%: build/$(1)/core/test/%.o \
		$(call obj,$(1),$(CORE) $(UNITHELP))
	$$(call say,LD)$($(1)) -o $$@ $$^ $(if $(filter m32,$(1)),,$$(CHECKLIB)) \
		-lpthread

build/$(1)/test_store: $(call obj,$(1),$(CORE) $(COMMON) $(STORE))
	$$(call say,LD)$($(1)) -o $$@ $$^ -luring -lpthread $$(CHECKLIB)

build/$(1)/test_dt: $(call obj,$(1),$(DT) $(DTTEST))
	$$(call say,LD)$($(1)) -o $$@ $$^ -lfdt $$(CHECKLIB)

build/$(1)/fuzz_dt: $(call obj,$(1),$(DT) ports/common/fuzz/fuzz_dt.c)
	$$(call say,LD)$($(1)) -o $$@ $$^ -lfdt

build/$(1)/vblk-sim: $(call obj,$(1),$(CORE) $(SIM) $(DT))
	$$(call say,LD)$($(1)) -o $$@ $$^ -lfdt -lpthread

build/$(1)/vblk-vhost-user: $(call obj,$(1),$(CORE) $(COMMON) $(VHOSTUSER))
	$$(call say,LD)$($(1)) -o $$@ $$^ -luring -lseccomp -lpthread

build/$(1)/vblk-xen: $(call obj,$(1),$(CORE) $(COMMON) $(DT) $(XEN))
	$$(call say,LD)$($(1)) -o $$@ $$^ $(if $(filter xen-arm64,$(1)),$$(XENLINK)) \
		$$(XENLIBS) -lfdt -luring -lpthread

build/$(1)/fuzz_session: $(call obj,$(1),$(CORE) $(COMMON) \
		$(filter-out %/main.c,$(VHOSTUSER)) \
		ports/vhost-user/fuzz/fuzz_session.c)
	$$(call say,LD)$($(1)) -o $$@ $$^ -luring -lseccomp -lpthread

build/$(1)/test_sandbox: $(call obj,$(1),$(CORE) $(COMMON) $(SANDBOX))
	$$(call say,LD)$($(1)) -o $$@ $$^ -luring -lseccomp -lpthread $$(CHECKLIB)

build/$(1)/inject: $(call obj,$(1),$(INJECT))
	$$(call say,LD)$($(1)) -o $$@ $$^

build/$(1)/vblk-vhost-user-client: $(call obj,$(1),$(CLIENT))
	$$(call say,LD)$($(1)) -o $$@ $$^ -lpthread

build/$(1)/vblk-conformance: $(call obj,$(1),$(CORE) $(DEVTESTS) $(CONFORM))
	$$(call say,LD)$($(1)) -o $$@ $$^ -lpthread

build/$(1)/vblk-hal-conformance-sim: $(call obj,$(1),$(CORE) $(HAL) \
		$(filter-out %/main.c,$(SIM)) $(DT) conformance/hal/sim.c)
	$$(call say,LD)$($(1)) $(HALWRAP) -o $$@ $$^ -lfdt -lpthread

build/$(1)/vblk-hal-conformance-vhost-user: $(call obj,$(1),$(CORE) $(HAL) \
		$(filter-out %/main.c,$(VHOSTUSER)) $(COMMON) \
		$(addprefix conformance/,front.c front_calls.c memory.c) \
		$(addprefix conformance/hal/,vhost_user.c vhost_export.c slow_disk.c))
	$$(call say,LD)$($(1)) $(HALWRAP) $(DISKWRAP) -o $$@ $$^ -luring -lseccomp \
		-lpthread

build/$(1)/vblk-hal-conformance-template: $(call obj,$(1),$(CORE) $(HAL) \
		ports/template/fixture.c)
	$$(call say,LD)$($(1)) $(HALWRAP) -o $$@ $$^

build/$(1)/vblk-demo: $(call obj,$(1),$(CORE) $(DEMO) $(COMMON))
	$$(call say,LD)$($(1)) -o $$@ $$^ -luring -lpthread
endef

say = $(if $(V),,@$(if $(QUIET),,printf '  %s  %s\n' $(1) $@;))

# --- what people type -----------------------------------------------------------

.PHONY: all help demo check check-vhost-user check-conformance check-xen bench-xen verify-all bench bench-vhost-user \
	size cover lint format format-check clean
all: build-gcc build/vblk-sim build/vblk-demo build/vblk-vhost-user \
	build/vblk-vhost-user-client build/vblk-conformance

help:
	@echo 'make             build the tests, the simulator and the demo'
	@echo 'make demo        a simulated guest on a file: reads it, compares SHA-256'
	@echo '                 DISK=path (else build/demo.img is made), WRITE=1, BREAK=1'
	@echo 'make check       everything CI checks; ends with the count'
	@echo 'make check-vhost-user   the vhost-user daemon: loads, crashes, guests in QEMU'
	@echo 'make check-conformance   the device suite on ours: in process, vhost-user'
	@echo 'make check-xen   the Xen daemon: Xen, Linux as dom0 and guests in QEMU'
	@echo 'make requirements  which function and test meets each statement of virtio;'
	@echo '                 docs/requirements.md, build/requirements.html'
	@echo 'make verify-all  the long run of everything; goes on where it was stopped'
	@echo 'make xen-testbed  what the tests of the Xen port boot; 15 minutes, once'
	@echo 'make bench       what a request costs the core'
	@echo 'make bench-vhost-user   the daemon beside qemu-storage-daemon'
	@echo 'make bench-xen   what a request costs on Xen, in an emulator'
	@echo 'make install     the daemon and the core as a library; DESTDIR, PREFIX'
	@echo 'make size        code, RAM and stack on four processors, against the limits'
	@echo 'make cover       branch coverage of the core: build/cover/index.html'
	@echo 'make lint        clang-tidy, cppcheck, shellcheck'
	@echo 'make format      lay out the sources; format-check only looks'
	@echo 'make clean       remove build/'
	@echo
	@echo 'make <suite>     one suite of check:'
	@echo '$(SUITES)' | fold -s -w 60 | sed 's/^/                 /'

demo:
	@tools/deps demo
	@$(MAKE) -s --no-print-directory build/vblk-demo
	@DISK='$(DISK)' WRITE='$(WRITE)' BREAK='$(BREAK)' tools/demo

suites = $(foreach s,$(1),'$s=make --no-print-directory -kj$$(nproc) $s \
	V=$(V) QUIET=1')

check:
	@tools/deps check
	@tools/run-tests $(call suites,$(SUITES))

check-vhost-user:
	@tools/deps check-vhost-user
	@tools/run-tests --as=vhost-user $(call suites,$(SUITES-vhost-user))

check-conformance:
	@tools/deps check-conformance
	@tools/run-tests --as=conformance $(call suites,$(SUITES-conformance))

check-xen:
	@tools/deps check-xen
	@tools/run-tests --as=xen $(call suites,$(SUITES-xen))

verify-all:
	@tools/deps check-vhost-user
	@tools/deps check-xen
	@tools/verify-all $(STEPS)

# What the Xen port's tests boot; in the cache of the user, not in build/
.PHONY: xen-testbed
xen-testbed:
	@tools/deps xen-testbed
	@ports/xen/testbed/build

bench-vhost-user:
	@tools/deps check-vhost-user
	@$(MAKE) -s --no-print-directory build/release/vblk-vhost-user \
		build/release/vblk-vhost-user-client
	@ports/vhost-user/test/bench --daemon=build/release/vblk-vhost-user \
		--client=build/release/vblk-vhost-user-client $(BENCH)

# Virtual time: the same figures on any host
.PHONY: bench-xen
bench-xen: xen-testbed
	@$(MAKE) -s --no-print-directory build/xen-arm64/vblk-xen
	@ports/xen/test/bench $(BENCH)

bench:
	@tools/deps bench
	@$(MAKE) -s --no-print-directory build/gcc/core/test/bench build/vblk-sim
	@build/gcc/core/test/bench
	@echo
	@build/vblk-sim --bench

size:
	@tools/deps size
	@tools/size

lint:
	@tools/deps lint
	@tools/lint

format:
	@tools/deps format
	@tools/format

format-check:
	@tools/deps format
	@tools/format --check

clean:
	rm -rf build

# --- suites of make check ---------------------------------------------------------

# Each part of CI has its suites
SUITES := build-gcc build-clang headers \
	  unit-gcc unit-clang unit-gcc-san unit-clang-san unit-m32 threads \
	  store-gcc-san store-clang-san dt-gcc-san dt-clang-san dt-fuzz \
	  sim-smoke sim-smoke-san sim-run \
	  mutants coverage template symbols size licence docs
SUITES-vhost-user := vhost-user-cli vhost-user-clients vhost-user-clients-san \
	vhost-user-clients-tsan vhost-user-hostile vhost-user-hostile-san \
	vhost-user-sandbox vhost-user-fuzz \
	vhost-user-install vhost-user-guests
SUITES-conformance := conformance-sim conformance-sim-san conformance-vhost-user \
	conformance-hal-sim conformance-hal-sim-san conformance-hal-vhost-user \
	conformance-hal-template conformance-hal-mutants \
	conformance-cli conformance-foreign conformance-mutants \
	requirements
SUITES-xen := xen-build xen-cli xen-testbed-build xen-guests-distro \
	xen-guests-small xen-guests-driver
.PHONY: $(filter-out size,$(SUITES)) $(SUITES-vhost-user) $(SUITES-xen) \
	$(SUITES-conformance)

# Sanitizers of this age lose their way where the kernel spreads addresses wider
# than they were built for; without randomization they do not.
PLAIN := $(shell setarch -R true 2>/dev/null && echo setarch -R)

# Programs one after the other; all of them run, one failure fails the suite.
# A suite without programs is a failure, not a pass. libcheck prints failures alone;
# each test is in build/log/SUITE-PROGRAM.tap, for tools/requirements.
define run
	@test -n '$(strip $(1))' || { echo 'nothing to run'; exit 1; }
	@mkdir -p build/log
	@rc=0; for p in $(1); do echo "# $$p"; CK_TIMEOUT_MULTIPLIER=10 \
		CK_TAP_LOG_FILE_NAME="build/log/$@-$${p##*/}.tap" \
		timeout 900 $(PLAIN) $$p || rc=1; done; \
	exit $$rc
endef

units = $(UNIT:%.c=build/$(1)/%)

build-gcc: $(call units,gcc) build/gcc/test_store build/sim/vblk-sim \
	build/release/vblk-demo
build-clang: $(call units,clang) build/clang/test_store \
	build/sim-clang/vblk-sim build/release-clang/vblk-demo

$(foreach v,gcc clang gcc-san clang-san m32, \
	$(eval unit-$v: $(call units,$v); $$(call run,$$^)))
$(foreach v,gcc-san clang-san, \
	$(eval store-$v: build/$v/test_store; $$(call run,$$^)) \
	$(eval dt-$v: build/$v/test_dt $(TREES:%.dts=build/%.dtb); \
		$$(call run,$$<)))

# Some are wrong in a way that dtc would not write, unless forced
build/%.dtb: %.dts $(wildcard ports/common/test/dt/*.dtsi) Makefile
	@mkdir -p $(@D)
	$(call say,DTC)dtc -q -f -I dts -O dtb -o $@ $<

dt-fuzz: build/fuzz/fuzz_dt $(TREES:%.dts=build/%.dtb)
	ports/common/fuzz/run $< $(FUZZ_SECONDS)

build/sim/test/dt/small.dtb: sim/test/dt/demand.dts

# Each header alone, as C11 and as C++17, by both compilers.
headers:
	@set -e; for h in $(HEADERS:core/%=%); do \
	for c in $(GCC) $(CLANG); do echo "#include \"$$h\"" | \
		$$c $(BASE) -fsyntax-only -x c -; done; \
	for c in $(GXX) $(CLANGXX); do echo "#include \"$$h\"" | \
		$$c -std=c++17 -Icore -Wall -Wextra -Wpedantic -Wconversion \
			-Werror -fsyntax-only -x c++ -; done; done

unit-m32: PLAIN := tools/run32

threads: build/tsan/core/test/mq_threads
	$(call run,$^)

sim-smoke: build/sim/vblk-sim
	build/sim/vblk-sim --smoke

sim-smoke-san: build/sim-san/vblk-sim
	$(PLAIN) build/sim-san/vblk-sim --smoke

sim-run: build/vblk-sim build/vblk-demo build/sim-san/vblk-sim \
		$(SIMTREES:%.dts=build/%.dtb) $(TREES:%.dts=build/%.dtb)
	$(call run,$(SIMRUN))

# Each defect that real back ends had, seeded, fails the test that docs/defects.md
# names.
mutants:
	@tools/mutants --check
	@tools/mutants

coverage:
	@rm -rf build/cover build/cover-sim
	@$(MAKE) -s --no-print-directory cover-run >build/cover.log 2>&1 || \
		{ tail -n 50 build/cover.log; exit 1; }
	@tools/cover

# A port starts as a copy of the template: it compiles, and what it calls exists.
template: $(call obj,gcc,$(TEMPLATE) $(CORE)) $(call obj,clang,$(TEMPLATE))
	@test -n '$(TEMPLATE)' || { echo 'no template'; exit 1; }
	$(GCC) -nostartfiles -Wl,--entry=0 -o build/gcc/template \
		$(call obj,gcc,$(TEMPLATE) $(CORE))

symbols:
	@tools/symbols $(CORE)

licence:
	@tools/spdx

docs:
	@tools/one-request-check
	@tools/requirements --check

# --- suites of make check-vhost-user ------------------------------------------------

VHU    := ports/vhost-user/test
DAEMON  = build/$(1)/vblk-vhost-user
FRONT  := build/release/vblk-vhost-user-client

vhost-user-cli: $(call DAEMON,release) $(call DAEMON,release-clang) $(FRONT)
	$(VHU)/cli $< $(FRONT)

vhost-user-clients: $(call DAEMON,release) $(FRONT)
	$(VHU)/clients $^

vhost-user-clients-san: $(call DAEMON,clang-san) $(FRONT)
	$(PLAIN) $(VHU)/clients $^ --short

vhost-user-clients-tsan: $(call DAEMON,tsan-port) $(FRONT)
	$(PLAIN) $(VHU)/clients $^ --short

vhost-user-hostile: $(call DAEMON,release) $(FRONT)
	$(VHU)/hostile $^

vhost-user-hostile-san: $(call DAEMON,clang-san) $(FRONT)
	$(PLAIN) $(VHU)/hostile $^ --short

vhost-user-sandbox: build/gcc/test_sandbox build/gcc/inject \
		$(call DAEMON,release) $(FRONT)
	build/gcc/test_sandbox
	$(VHU)/sandbox $(wordlist 2,4,$^)

vhost-user-fuzz: build/fuzz/fuzz_session
	$(VHU)/../fuzz/run $< $(FUZZ_SECONDS)

vhost-user-install: build/release/vblk-vhost-user build/libvblk.a
	$(VHU)/install

# Some of each kind; `make verify-all` boots all of them
vhost-user-guests: $(call DAEMON,release)
	$(VHU)/guests/run --daemon=$< $(GUESTS)

FUZZ_SECONDS ?= 30
GUESTS ?= linux_q35_pci linux_arm64_mmio linux_q35_reconnect seabios_boot_sector \
	ovmf_transitional uboot_x86_transitional uboot_arm64_mmio

# --- suites of make check-conformance -------------------------------------------------

CONFORMANCE = build/$(1)/vblk-conformance

conformance-sim: $(call CONFORMANCE,release)
	$< --sim --waivers=conformance/test/waivers

conformance-sim-san: $(call CONFORMANCE,clang-san)
	$(PLAIN) $< --sim --waivers=conformance/test/waivers

# Bare metal in QEMU: on its disks, and behind its registers on ours
conformance-guest: build/conformance-guest $(call DAEMON,release)
	conformance/guest/run --image=$< --daemon=$(word 2,$^)

conformance-guest-command: build/conformance-guest $(call DAEMON,release)
	conformance/guest/test_command --image=$< --daemon=$(word 2,$^)

conformance-vhost-user: $(call CONFORMANCE,release) $(call DAEMON,release)
	conformance/test/vhost_user $^

HALTESTS = build/$(1)/vblk-hal-conformance-$(2)

conformance-hal-sim: $(call HALTESTS,sim,sim) $(call HALTESTS,sim-clang,sim)
	$(call run,$^)

conformance-hal-sim-san: $(call HALTESTS,sim-san,sim)
	$(call run,$^)

conformance-hal-vhost-user: $(call HALTESTS,release,vhost-user)
	$(call run,$^)

conformance-hal-template: $(call HALTESTS,release,template)
	conformance/hal/test_template $<

# Each defect of a port, seeded, fails the test of its clause
conformance-hal-mutants:
	conformance/mutants/run_hal

conformance-cli: $(call CONFORMANCE,release)
	conformance/test/cli $<

conformance-foreign: $(call CONFORMANCE,release)
	conformance/test/foreign $<

conformance-mutants:
	conformance/mutants/run

# --- suites of make check-xen ---------------------------------------------------------

# with_bed(PARTS,COMMAND): a suite without its test bed is skipped, and says so
define with_bed
	@ports/xen/testbed/build --quiet $(1); status=$$?; \
	if [ $$status -eq 77 ]; then echo "ok 1 - $@ # SKIP no test bed"; exit 0; fi; \
	[ $$status -eq 0 ] && MAKEFLAGS= $(MAKE) --no-print-directory -j$$(nproc) \
		QUIET=1 build/xen-arm64/vblk-xen \
		build/conformance-guest && \
	{ $(2) || [ $$? -eq 77 ]; }
endef

xen-build: build/release/vblk-xen build/release-clang/vblk-xen
	$(call with_bed,--only sysroot,:)

xen-cli: build/gcc-san/vblk-xen
	ports/xen/test/cli $<

xen-testbed-build:
	$(call with_bed,,ports/xen/testbed/build)

# With Debian's kernel what every host has; with ours, grants, too
xen-guests-distro:
	$(call with_bed,,ports/xen/test/run --kernel=distro $(XEN_DISTRO))

xen-guests-small:
	$(call with_bed,,ports/xen/test/run --kernel=small --unless-passed)

# A back end in another domain than dom0; Xen's default policy forbids it
xen-guests-driver:
	$(call with_bed,,ports/xen/test/run driver_domain --kernel=small \
		--xen-arguments=xsm=dummy --unless-passed)

XEN_DISTRO ?= probe ext4 load crash_waiting


# Suites whose results are missing, or older than their tests, run first: what they
# gave is seen in the results.
requirements:
	@tools/deps check-conformance
	@needed=$$(tools/requirements --needed) || exit 1; set --; \
	for s in $$needed; do set -- "$$@" \
		"$$s=make --no-print-directory -kj$$(nproc) $$s QUIET=1"; done; \
	[ $$# -eq 0 ] || tools/run-tests --as=requirements "$$@" || :
	@tools/trace/selftest
	@tools/requirements

# --- coverage ---------------------------------------------------------------------

cover:
	@tools/deps cover
	@$(MAKE) -s --no-print-directory coverage

.PHONY: cover-run
cover-run: $(call units,cover) build/cover-sim/vblk-sim
	build/cover-sim/vblk-sim --smoke
	$(call run,$(call units,cover))

# --- make install ---------------------------------------------------------------
#
# The daemon with its man page, units and description for management software,
# and the core as a library for embedders. DESTDIR for packagers; PREFIX, BINDIR,
# LIBDIR, INCLUDEDIR, MANDIR, DATADIR, UNITDIR say where. Nothing is enabled.

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
INSTALL    ?= install
INSTALLED  := ports/vhost-user/install

# What @NAME@ stands for in the .in files
FILL = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@PREFIX@|$(PREFIX)|g' \
	   -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
	   -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g'

build/libvblk.a: $(call obj,release,$(CORE))
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

.PHONY: install
install: build/release/vblk-vhost-user build/libvblk.a
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' \
		'$(DESTDIR)$(INCLUDEDIR)/vblk' '$(DESTDIR)$(MANDIR)/man1' \
		'$(DESTDIR)$(DATADIR)/qemu/vhost-user' '$(DESTDIR)$(UNITDIR)'
	$(INSTALL) -m 755 build/release/vblk-vhost-user '$(DESTDIR)$(BINDIR)'
	$(INSTALL) -m 644 build/libvblk.a '$(DESTDIR)$(LIBDIR)'
	$(INSTALL) -m 644 $(HEADERS) '$(DESTDIR)$(INCLUDEDIR)/vblk'
	$(INSTALL) -m 644 $(INSTALLED)/vblk-vhost-user.1 '$(DESTDIR)$(MANDIR)/man1'
	$(INSTALL) -m 644 '$(INSTALLED)/vblk-vhost-user@.socket' \
		'$(DESTDIR)$(UNITDIR)'
	$(FILL) '$(INSTALLED)/vblk-vhost-user@.service.in' \
		>'$(DESTDIR)$(UNITDIR)/vblk-vhost-user@.service'
	$(FILL) $(INSTALLED)/vblk.pc.in >'$(DESTDIR)$(LIBDIR)/pkgconfig/vblk.pc'
	$(FILL) -e '/^#/d' $(INSTALLED)/50-vblk.json.in \
		>'$(DESTDIR)$(DATADIR)/qemu/vhost-user/50-vblk.json'
	chmod 644 '$(DESTDIR)$(UNITDIR)/vblk-vhost-user@.service' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/vblk.pc' \
		'$(DESTDIR)$(DATADIR)/qemu/vhost-user/50-vblk.json'

.PHONY: uninstall
uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/vblk-vhost-user' '$(DESTDIR)$(LIBDIR)/libvblk.a' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/vblk.pc' \
		'$(DESTDIR)$(MANDIR)/man1/vblk-vhost-user.1' \
		'$(DESTDIR)$(UNITDIR)/vblk-vhost-user@.service' \
		'$(DESTDIR)$(UNITDIR)/vblk-vhost-user@.socket' \
		'$(DESTDIR)$(DATADIR)/qemu/vhost-user/50-vblk.json'
	rm -rf '$(DESTDIR)$(INCLUDEDIR)/vblk'

# ----------------------------------------------------------------------------------

# An arm64 kernel image, as boot loaders take them; the ELF file is for gdb
build/conformance-guest.elf: $(call obj,guest,$(GUESTIMG)) \
		conformance/guest/guest.lds
	$(call say,LD)aarch64-linux-gnu-ld -pie --no-dynamic-linker -z norelro \
		-z noexecstack --no-warn-rwx-segments --gc-sections -Bsymbolic \
		-T conformance/guest/guest.lds -o $@ $(filter %.o,$^)
	@! aarch64-linux-gnu-readelf -rW $@ | grep R_AARCH64 | \
		grep -v R_AARCH64_RELATIVE || \
		{ echo 'relocations that start.S does not know'; rm $@; exit 1; }

build/conformance-guest: build/conformance-guest.elf
	$(call say,IMG)aarch64-linux-gnu-objcopy -O binary $< $@
	@test $$(wc -c <$@) -lt 262144 || \
		{ echo '$@ is not under 256 KiB'; rm $@; exit 1; }

# Short names for what people run by hand
build/vblk-sim: build/sim/vblk-sim
build/vblk-demo: build/release/vblk-demo
build/vblk-vhost-user: build/release/vblk-vhost-user
build/vblk-vhost-user-client: build/release/vblk-vhost-user-client
build/vblk-conformance: build/release/vblk-conformance
build/vblk-sim build/vblk-demo build/vblk-vhost-user build/vblk-vhost-user-client \
build/vblk-conformance:
	@ln -sf $(patsubst build/%,%,$<) $@

$(foreach v,$(VARIANTS),$(eval $(call variant,$v)))

.SECONDARY:
-include $(wildcard $(addprefix build/*/,core/*.d core/test/*.d sim/*.d \
	sim/demo/*.d ports/*/*.d ports/*/*/*.d conformance/*.d \
	conformance/*/*.d))
