noinst_LIBRARIES += src/volume/libleased-volume.a
src_volume_libleased_volume_a_SOURCES =

check_PROGRAMS += tests/link/volume
tests_link_volume_SOURCES = tests/link/main.c
tests_link_volume_LDADD = @WHOLE@ src/volume/libleased-volume.a @NOWHOLE@ $(L_volume)
