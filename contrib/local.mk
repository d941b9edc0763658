# shipped helpers
EXTRA_DIST += .ci/run contrib/check contrib/vm-check contrib/foreign contrib/quickstart contrib/torture contrib/make-image \
	contrib/packages.sh contrib/host-state.sh autogen.sh \
	contrib/leased.service.in contrib/leased-tenant.apparmor contrib/lease.bash-completion \
	README.md HACKING.md SECURITY.md NEWS LICENSE doc/architecture.md doc/money.md .clang-format

contrib/leased.service: contrib/leased.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib && sed 's|@sbindir[@]|$(sbindir)|; s|@sysconfdir[@]|$(sysconfdir)|' $(srcdir)/contrib/leased.service.in >$@
CLEANFILES += contrib/leased.service

if AGENT
systemdsystemunit_DATA = contrib/leased.service
endif

# The profile of leases, where AppArmor looks for profiles; loaded by the unit, or by hand.
contrib/leased-tenant: contrib/leased-tenant.apparmor
	$(AM_V_GEN)$(MKDIR_P) contrib && cp $(srcdir)/contrib/leased-tenant.apparmor $@
CLEANFILES += contrib/leased-tenant
if AGENT
apparmordir = $(sysconfdir)/apparmor.d
apparmor_DATA = contrib/leased-tenant
endif

# The loader of bash-completion looks for a file called like the program.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompletiondir)'
	$(INSTALL_DATA) $(srcdir)/contrib/lease.bash-completion '$(DESTDIR)$(bashcompletiondir)/lease'
if AGENT
	$(INSTALL_DATA) $(srcdir)/contrib/lease.bash-completion '$(DESTDIR)$(bashcompletiondir)/leasectl'
endif

uninstall-local:
	rm -f '$(DESTDIR)$(bashcompletiondir)/lease' '$(DESTDIR)$(bashcompletiondir)/leasectl'

# Templates that an operator may offer as they are.
TEMPLATES = contrib/templates/agent-sandbox.json contrib/templates/bitcoin-node.json contrib/templates/debian.json \
	contrib/templates/headless-browser.json contrib/templates/inference-endpoint.json contrib/templates/nostr-relay.json
EXTRA_DIST += $(TEMPLATES)
if AGENT
templatesdir = $(pkgdatadir)/templates
templates_DATA = $(TEMPLATES)
endif
