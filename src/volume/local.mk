noinst_LIBRARIES += src/volume/libleased-volume.a
src_volume_libleased_volume_a_CPPFLAGS = $(AM_CPPFLAGS) $(CRYPTSETUP_CFLAGS)
src_volume_libleased_volume_a_SOURCES = \
	src/volume/volume.c src/volume/volume.h src/volume/erase.c src/volume/paths.c \
	src/volume/paths.h src/volume/key.c src/volume/key.h src/volume/luks.c src/volume/luks.h \
	src/volume/trim.c src/volume/extent.c src/volume/extent.h \
	src/volume/mapper.c src/volume/mapper.h src/volume/loop.c \
	src/volume/loop.h src/volume/mounts.c src/volume/mounts.h src/volume/server.c \
	src/volume/server.h src/volume/bind.c src/volume/bind.h src/volume/nodes.c \
	src/volume/nodes.h src/volume/speed.c src/volume/speed.h src/volume/overlay.c src/volume/overlay.h

check_PROGRAMS += tests/link/volume
tests_link_volume_SOURCES = tests/link/main.c
tests_link_volume_LDADD = @WHOLE@ src/volume/libleased-volume.a @NOWHOLE@ $(L_spec)

include tests/root/local.mk
