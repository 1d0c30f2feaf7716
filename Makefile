# Portico. `make help` lists the verbs. No configure step: pkg-config finds the libraries, `make deps` installs them.
# KIND=release|debug|asan|ubsan|tsan|fuzz|coverage chooses the flags and the folder build/KIND.

KIND ?= release
CC ?= cc
V ?= 0
OUT := build/$(KIND)
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(1) $(2))

VERSION := 0.1.0
PACKAGES := libevent_core libevent_extra libcurl jansson yaml-0.1 libseccomp sqlite3 libcrypto
MODULES := base config discovery controller proxy admin daemon

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wpointer-arith \
            -Wwrite-strings -Wundef
WARNINGS += $(if $(CI),-Werror)
HARDENING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS_release := -O2 -g $(HARDENING)
FLAGS_debug := -O0 -g
# Both say what they find apart, and one run of the suites is enough for the two; ubsan alone is for who looks for one thing.
# -g1: functions and lines, which is what a report names, for three quarters of the time of the compiler. EXTRA_CFLAGS=-g for gdb.
FLAGS_asan := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_ubsan := -O1 -g1 -fsanitize=undefined -fno-sanitize-recover=all
FLAGS_tsan := -O1 -g1 -fsanitize=thread
FLAGS_fuzz := -O1 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FLAGS_coverage := -O0 -g -fprofile-instr-generate -fcoverage-mapping
LINK_release := -pie -Wl,-z,relro,-z,now

ifeq ($(filter help deps clean,$(MAKECMDGOALS)),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
endif
CFLAGS += -std=gnu11 $(WARNINGS) $(FLAGS_$(KIND)) -I. -D_GNU_SOURCE -DPORTICO_VERSION='"$(VERSION)"' \
          -DPORTICO_BUILD='"$(KIND) $(CC)"' $(PKG_CFLAGS) $(EXTRA_CFLAGS)
LDFLAGS += $(FLAGS_$(KIND)) $(LINK_$(KIND))
LDLIBS := $(PKG_LIBS) -lm -lpthread

SOURCES := $(filter-out daemon/main.c,$(shell find $(MODULES) -name '*.c' 2>/dev/null | sort))
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o)
LIBRARY := $(OUT)/libportico.a
UNIT_TESTS := $(patsubst %.c,$(OUT)/%,$(shell find tests/unit tests/sim -name '*_test.c' 2>/dev/null | sort))
TEST_SUPPORT := $(patsubst %.c,$(OUT)/%.o,$(shell find tests/unit tests/sim tests/corpus -name '*.c' ! -name '*_test.c' ! -path 'tests/sim/house/*' 2>/dev/null))
# Stands in for libevent and the kernel: a program of its own objects.
HOUSE_SUPPORT := $(patsubst %.c,$(OUT)/%.o,$(filter-out %_test.c,$(wildcard tests/sim/house/*.c)))
BENCH_PROGRAMS := $(OUT)/bench/relay $(OUT)/bench/spread_relay $(OUT)/bench/backend
# The programs of the benchmarks without their main.c, for their unit tests.
BENCH_SOURCES := $(filter-out %/main.c,$(wildcard bench/load/*.c))
BACKEND_SOURCES := $(wildcard bench/backend/*.c)
BENCH_LIBRARY := $(OUT)/libbench.a
BENCH_UNIT_TESTS := $(filter $(OUT)/tests/unit/bench/%,$(UNIT_TESTS))
# Tools of the system tests. Sanitizers bring their own allocator, which the shim cannot stand in front of.
FAULT_PROGRAMS := $(OUT)/tests/faults/flood $(if $(filter release debug,$(KIND)),$(OUT)/tests/faults/shim.so)
DIFFERENTIAL_READER := $(OUT)/tests/differential/read_messages

.DEFAULT_GOAL := all
.PHONY: all programs check test demo run bench bench-full bench-burn asan ubsan tsan fuzz lint format format-check install clean help deps unit system soak docker-test coverage differential

all: $(OUT)/portico $(OUT)/portico-bench $(BENCH_PROGRAMS) $(FAULT_PROGRAMS) $(DIFFERENTIAL_READER) ## build portico, the bench programs and test tools

$(OUT)/portico: $(OUT)/daemon/main.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/portico-bench: $(OUT)/bench/load/main.o $(BENCH_LIBRARY) $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BENCH_LIBRARY): $(BENCH_SOURCES:%.c=$(OUT)/%.o) \
                  $(patsubst bench/backend/%.c,$(OUT)/bench/backend.objects/%.o,$(filter-out %/main.c,$(BACKEND_SOURCES)))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(LIBRARY): $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(OUT)/%.o: %.c | build/.dependencies-present
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# The program has the name that the folder of its objects would have.
$(OUT)/bench/backend.objects/%.o: bench/backend/%.c | build/.dependencies-present
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# An archive, so that a test gets only the support that it names: some fake what others use for real.
$(OUT)/libtestsupport.a: $(TEST_SUPPORT)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# System calls of the worker that go through tests/unit/proxy/exchange/conversation_wire.c.
RIG_WRAPPED := socket connect getsockopt getsockname send sendmsg recv poll shutdown close
RIG_TESTS := client_gone conversation drain exchange_time exchange_try reload slow_reader one_request
WALK_WRAPPED := reconciler_plan actuator_creating record_book_take
HOUSE_WRAPPED := event_config_new event_config_set_flag event_config_free event_base_new_with_config event_base_free \
                 event_base_loop event_base_loopexit event_assign event_new event_free event_add event_del event_del_noblock \
                 socket connect accept4 getsockopt setsockopt getsockname send sendmsg recv read write poll shutdown close \
                 fcntl eventfd getrandom clock_wall_us log_write jail_enter signal pthread_create pthread_join child_channel_new \
                 child_channel_free child_channel_send fleet_new snapshot_build snapshot_build_patch snapshot_free
# Between which files faults are planted: house_faults.c.
HOUSE_WRAPPED += publication_acknowledge publisher_is_out_of_rotation stats_read_endpoint publisher_serial_base \
                 task_is_routable snapshot_write_routes exchange_release_upstream buffer_give_back worker_notify worker_notify_row \
                 http_method_is_idempotent h1_parse_request deadline_start_in_lane upstream_give_back record_book_take reconciler_plan
HOUSE_TESTS := $(OUT)/tests/sim/house/house_walk_test $(OUT)/tests/sim/house/house_scenario_test
$(HOUSE_TESTS): LDFLAGS += $(HOUSE_WRAPPED:%=-Wl,--wrap=%)
$(HOUSE_TESTS): $(HOUSE_SUPPORT)
$(HOUSE_TESTS): TESTED := $(HOUSE_SUPPORT)
GENERATOR_WRAPPED := socket connect send timerfd_settime event_base_loop
$(OUT)/tests/unit/bench/load/generator_test: LDFLAGS += $(GENERATOR_WRAPPED:%=-Wl,--wrap=%)
$(OUT)/tests/unit/base/tcp_probe_test: LDFLAGS += -Wl,--wrap=connect -Wl,--wrap=socket
$(OUT)/tests/sim/reconciler_walk_test: LDFLAGS += $(WALK_WRAPPED:%=-Wl,--wrap=%)
$(OUT)/tests/unit/daemon/supervisor_test: LDFLAGS += -Wl,--wrap=fork
$(RIG_TESTS:%=$(OUT)/tests/unit/proxy/exchange/%_test): LDFLAGS += $(RIG_WRAPPED:%=-Wl,--wrap=%)
# There are some 150 of them in each KIND; mold links one in a fifth of the time.
MOLD := $(shell command -v mold)
$(UNIT_TESTS): LDFLAGS += $(if $(MOLD),-fuse-ld=mold)
$(BENCH_UNIT_TESTS): $(BENCH_LIBRARY)
$(BENCH_UNIT_TESTS): TESTED := $(BENCH_LIBRARY)
$(UNIT_TESTS): $(OUT)/%: $(OUT)/%.o $(OUT)/libtestsupport.a $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(TESTED) $(OUT)/libtestsupport.a $(LIBRARY) $(LDLIBS) -lcmocka

$(OUT)/tests/unit/controller/store/power_cut_test: LDFLAGS += -Wl,--wrap=fsync

# The task image of the demo and the tests, and the floor of the benchmarks: no library at all, linked statically.
$(OUT)/bench/backend: $(BACKEND_SOURCES) $(wildcard bench/backend/*.h)
$(OUT)/bench/relay: bench/relay.c
$(OUT)/bench/spread_relay: bench/spread_relay.c
$(BENCH_PROGRAMS): bench/tcp.h bench/relay_loop.h
	@mkdir -p $(@D)
	$(call say,STATIC,$@)
	$(Q)$(CC) -std=gnu11 $(WARNINGS) -O2 -g -D_GNU_SOURCE -I. -static -o $@ $(filter %.c,$^) -lm -lpthread

$(OUT)/tests/faults/shim.so: SHIM_FLAGS := -shared -fPIC
$(OUT)/tests/faults/shim.so: tests/faults/shim.c
$(OUT)/tests/faults/flood: tests/faults/flood.c
$(FAULT_PROGRAMS):
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=gnu11 $(WARNINGS) -O2 -g -D_GNU_SOURCE $(SHIM_FLAGS) -o $@ $< -ldl

$(DIFFERENTIAL_READER): $(OUT)/tests/differential/read_messages.o $(OUT)/tests/corpus/conversation.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

build/.dependencies-present: tests/setup/packages.txt
	@mkdir -p build
	@pkg-config --exists $(PACKAGES) cmocka || { \
	  echo "missing libraries: $$(for p in $(PACKAGES) cmocka; do pkg-config --exists $$p || printf '%s ' $$p; done)"; \
	  echo "run 'make deps' (Debian) or install the packages named in tests/setup/packages.txt"; exit 1; }
	@touch $@

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

deps: ## install what is missing from Debian (needs root or sudo)
	@tests/setup/install_packages.sh

programs: all $(UNIT_TESTS) ## compile what the tests of this KIND run

unit: programs ## unit tests and simulations of this KIND
	@tests/setup/run_unit_tests.sh $(OUT) $(UNIT_TESTS)

check: unit lint ## what to run before a commit: unit, simulation, lint; no Docker

system: all ## system tests: real processes and sockets, no Docker
	@tests/setup/run_pytest.sh $(OUT) tests/system

docker-test: all ## tests against a real Docker Engine
	@tests/setup/run_pytest.sh $(OUT) tests/docker

soak: all $(OUT)/tests/sim/reconciler_walk_test $(OUT)/tests/sim/house/house_walk_test ## long-running tests, hours if need be; not part of `make test`
	@tests/setup/run_pytest.sh $(OUT) tests/soak

test: ## everything, set-up included: the one test command
	@tests/setup/run_everything.sh

asan: ## unit and system tests with AddressSanitizer and UndefinedBehaviorSanitizer in one build
	@$(MAKE) --no-print-directory KIND=asan unit system
ubsan: ## unit and system tests with UndefinedBehaviorSanitizer alone
	@$(MAKE) --no-print-directory KIND=ubsan unit system
tsan: ## unit and system tests with ThreadSanitizer
	@$(MAKE) --no-print-directory KIND=tsan unit system

coverage: ## lines and branches of the parser that its unit tests run; fails below 100 % and 95 % (needs clang)
	@tests/setup/coverage.sh

FUZZ ?= all
TIME ?= 30
fuzz: ## fuzz: FUZZ=driver TIME=seconds (needs clang)
	@FUZZ=$(FUZZ) TIME=$(TIME) tests/fuzz/run.sh

differential: all ## our parser against python3-h11 and node's on variations of the corpus: TIME=seconds SEED=number
	@/usr/bin/python3 tests/differential/differential.py $(OUT) --time $(TIME) --seed $(or $(SEED),$(shell date +%s))

demo: ## the main job on real containers, set-up included
	@bench/demo.sh
run: ## like demo, but stays
	@bench/demo.sh --stay
bench: ## proxy cost beside the blind relay, nginx and HAProxy, in 5 minutes; BENCH="options" (bench/run.sh --help)
	@bench/run.sh $(BENCH)
bench-full: ## the same for every scenario there is
	@bench/run.sh --all $(BENCH)
bench-burn: ## like bench, with a row for a Portico that wastes 5 us on each request
	@bench/run.sh --with-burn $(BENCH)

lint: all $(if $(TIDY),compile_commands.json) ## layers, sizes, headers, generated docs, format; TIDY=1: clang-tidy too
	@tests/lint/run.sh $(OUT)/portico
	@$(if $(TIDY),tests/lint/tidy.sh)
format: ## rewrite all sources with clang-format
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i
format-check:
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format --dry-run --Werror

PREFIX ?= /usr/local
install: all ## copy the binaries and the documents below PREFIX
	install -D -m 755 $(OUT)/portico $(DESTDIR)$(PREFIX)/bin/portico
	install -D -m 755 $(OUT)/portico-bench $(DESTDIR)$(PREFIX)/bin/portico-bench
	install -D -m 644 config/examples/portico.yaml $(DESTDIR)$(PREFIX)/share/portico/portico.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' packaging/portico.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/portico.service
	install -d $(DESTDIR)$(PREFIX)/share/doc/portico
	install -m 644 README.md CHANGELOG.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/portico/

compile_commands.json: Makefile ## for clangd and clang-tidy
	@for f in $(SOURCES) daemon/main.c; do printf '{"directory":"%s","file":"%s","command":"cc %s -c %s"}\n' "$(CURDIR)" $$f '$(subst ','\'',$(subst ",\",$(CFLAGS)))' $$f; done | sed '1s/^/[/; $$!s/$$/,/; $$s/$$/]/' > $@

clean: ## remove build/
	rm -rf build compile_commands.json

help: ## this list
	@awk -F':.*## ' '/^[a-z_.-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
