# tests that belong to no single layer
EXTRA_DIST += tests/run-each
