# tests that belong to no single layer
EXTRA_DIST += tests/run-each tests/tap-skip tests/source/check-source tests/source/layers.txt \
	tests/source/wrappers.txt tests/source/calls.txt tests/source/codespell.txt
include tests/system/local.mk
include tests/bench/local.mk
include tests/crash/local.mk
if AGENT
include tests/escape/local.mk
endif
