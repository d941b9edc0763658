# manual pages
dist_man_MANS += man/lease.1 man/lease-protocol.7
AGENT_MANS = man/leasectl.8 man/leased.8 man/leased.conf.5
EXTRA_DIST += $(AGENT_MANS)
if AGENT
dist_man_MANS += $(AGENT_MANS)
endif
