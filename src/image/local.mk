noinst_LIBRARIES += src/image/libleased-image.a
src_image_libleased_image_a_SOURCES =

check_PROGRAMS += tests/link/image
tests_link_image_SOURCES = tests/link/main.c
tests_link_image_LDADD = @WHOLE@ src/image/libleased-image.a @NOWHOLE@ $(L_image)
