# Ways out, tried from inside; and what a thousand leases leave behind.
EXTRA_DIST += tests/escape/escape.py tests/escape/leak.py tests/escape/world.py tests/escape/attempts.py \
	tests/escape/images.py tests/escape/hostile.py tests/escape/network.py \
	tests/escape/storage.py

# Static, so that it runs in an image of its own, and without the instrumentation of the other programs.
check_PROGRAMS += tests/escape/attacker
tests_escape_attacker_SOURCES = tests/escape/attacker.c tests/escape/attack.h tests/escape/attack_calls.c \
	tests/escape/attack_files.c tests/escape/attack_limits.c tests/escape/attack_net.c
tests_escape_attacker_CFLAGS = -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wno-unused-parameter
tests_escape_attacker_LDFLAGS = -static

if CMOCKA
check_PROGRAMS += tests/escape/world
tests_escape_world_SOURCES = tests/escape/world.c tests/root/helper_world.c tests/root/helper_world.h
tests_escape_world_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_escape_world_LDADD = $(L_helper) $(CMOCKA_LIBS)
endif
