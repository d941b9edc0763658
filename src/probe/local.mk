# Static and without the instrumentation of the other programs: it runs in images that hold nothing.
pkglibexec_PROGRAMS += leased-probe
leased_probe_SOURCES = src/probe/gate.c src/probe/gate.h src/probe/main.c
leased_probe_CFLAGS = -std=gnu11 -O2 -Wall -Wextra -Wshadow
leased_probe_LDFLAGS = -static
