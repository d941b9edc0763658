noinst_LIBRARIES += src/backend/libleased-backend.a
src_backend_libleased_backend_a_SOURCES = \
	src/backend/backend.h \
	src/backend/box.c \
	src/backend/boxlog.c src/backend/boxlog.h \
	src/backend/cgroup.c src/backend/cgroup.h \
	src/backend/console.c src/backend/console.h \
	src/backend/docker.c src/backend/docker_args.c src/backend/docker_client.c src/backend/docker_exec.c \
	src/backend/docker_enter.c src/backend/docker_gate.c src/backend/docker_image.c \
	src/backend/docker_impl.h src/backend/docker_mind.c src/backend/docker_plan.c \
	src/backend/fake.c \
	src/backend/nfnl.c src/backend/nfnl.h \
	src/backend/nft.c src/backend/nft.h \
	src/backend/null.c src/backend/null.h \
	src/backend/oci.c src/backend/oci_beside.c src/backend/oci_exec.c src/backend/oci_impl.h \
	src/backend/rtnl.c src/backend/rtnl.h \
	src/backend/tenant_net.c src/backend/tenant_net.h \
	src/backend/tenant_ports.h \
	src/backend/tenant_parts.h src/backend/tenant_rules.c \
	src/backend/usage.c src/backend/usage.h

check_PROGRAMS += tests/link/backend
tests_link_backend_SOURCES = tests/link/main.c
tests_link_backend_LDADD = @WHOLE@ src/backend/libleased-backend.a @NOWHOLE@ $(L_backend)

if CMOCKA
check_PROGRAMS += tests/contract/absent tests/contract/backend_docker tests/contract/backend_fake \
	tests/contract/backend_oci tests/unit/boxlog
TESTS += tests/contract/backend_fake tests/unit/boxlog
ROOT_TESTS += tests/contract/backend_docker tests/contract/backend_oci
tests_contract_backend_docker_SOURCES = tests/contract/backend.c tests/contract/backend.h \
	tests/contract/backend_docker.c tests/contract/box.c \
	tests/contract/dockerd.c tests/contract/dockerd.h
tests_contract_absent_SOURCES = tests/contract/absent.c
tests_contract_absent_CFLAGS = -std=gnu11 -O2 -Wall -Wextra
tests_contract_absent_LDFLAGS = -static
EXTRA_tests_contract_backend_docker_DEPENDENCIES = leased-probe tests/contract/absent
tests_contract_backend_docker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_contract_backend_docker_LDADD = $(L_backend) $(CMOCKA_LIBS)
tests_contract_backend_fake_SOURCES = tests/contract/backend.c tests/contract/backend.h \
	tests/contract/backend_fake.c
tests_contract_backend_fake_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_contract_backend_fake_LDADD = $(L_backend) $(CMOCKA_LIBS)
tests_contract_backend_oci_SOURCES = tests/contract/backend.c tests/contract/backend.h \
	tests/contract/backend_oci.c tests/contract/box.c
tests_contract_backend_oci_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_contract_backend_oci_LDADD = $(L_backend) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/docker_args tests/unit/usage
TESTS += tests/unit/docker_args
tests_unit_docker_args_SOURCES = tests/unit/docker_args.c tests/unit/unit.h
tests_unit_docker_args_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_docker_args_LDADD = $(L_backend) $(CMOCKA_LIBS)
TESTS += tests/unit/usage
tests_unit_usage_SOURCES = tests/unit/usage.c tests/unit/unit.h
tests_unit_usage_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_usage_LDADD = $(L_backend) $(CMOCKA_LIBS)
tests_unit_boxlog_SOURCES = tests/unit/boxlog.c
tests_unit_boxlog_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_boxlog_LDADD = $(L_backend) $(CMOCKA_LIBS)
endif
