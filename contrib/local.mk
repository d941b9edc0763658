# shipped helpers
EXTRA_DIST += .ci/run contrib/check contrib/foreign contrib/packages.sh contrib/host-state.sh autogen.sh
