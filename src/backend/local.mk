noinst_LIBRARIES += src/backend/libleased-backend.a
src_backend_libleased_backend_a_SOURCES = \
	src/backend/backend.h \
	src/backend/boxlog.c src/backend/boxlog.h \
	src/backend/cgroup.c src/backend/cgroup.h \
	src/backend/fake.c \
	src/backend/oci.c

check_PROGRAMS += tests/link/backend
tests_link_backend_SOURCES = tests/link/main.c
tests_link_backend_LDADD = @WHOLE@ src/backend/libleased-backend.a @NOWHOLE@ $(L_backend)
