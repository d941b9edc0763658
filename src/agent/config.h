/*
 * leased.conf as checked structs. The tables in config.c are the schema: sections, keys, defaults,
 * ranges and the sentence that leased.conf(5) and the commented file give for each.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "spec/limits.h"
#include "spec/policy.h"
#include "spec/template.h"

#define CONFIG_PATH		SYSCONFDIR "/leased/leased.conf"
#define CONFIG_LEASE_MAX	(365 * 86400) /* seconds */
#define CONFIG_MEMORY_LEASE_MAX 86400	      /* where headers live in memory */

enum config_activation { CONFIG_AUTO, CONFIG_DM_CRYPT, CONFIG_FUSE, CONFIG_PLAIN };
enum config_header { CONFIG_HEADER_TMPFS, CONFIG_HEADER_DISK };
enum config_disk { CONFIG_DISK_LOCAL, CONFIG_DISK_NETWORK };
enum config_backend { CONFIG_OCI, CONFIG_DOCKER };
#define CONFIG_RESOLVERS_MAX 3 /* resolv.conf(5) reads no more */
#define CONFIG_SOURCE_PORT   10000
#define CONFIG_PUBLISH_MIN   1024
enum config_network { CONFIG_NETWORK_NONE, CONFIG_NETWORK_LOOPBACK, CONFIG_NETWORK_INTERNET };

#define CONFIG_PULLS_MAX 16

/* An image that an offer may run: "[NAME=]REF", where REF is "oci:/LAYOUT[:TAG]",
 * "oci-archive:/FILE[:TAG]" or "HOST/PATH[:TAG][@DIGEST]"; or a pattern of spec/ref.h. */
enum config_image_kind {
	CONFIG_IMAGE_LAYOUT,
	CONFIG_IMAGE_ARCHIVE,
	CONFIG_IMAGE_REGISTRY,
	CONFIG_IMAGE_PATTERN,
};

struct config_image {
	enum config_image_kind kind;
	char *name; /* what buyers write; the reference where the operator gave none */
	char *ref;  /* complete: "oci:/LAYOUT:latest" */
	char *path; /* of layout and archive: absolute; else NULL */
	char *tag;  /* "latest" where none was given; with path only */
};

/* A folder whose files leases may read. */
struct config_asset {
	char *name;	    /* what a spec calls it */
	const char *folder; /* absolute; of the configuration */
};

/* A registry or mirror that lies at a private address. */
struct config_reach {
	const char *line; /* HOST[:PORT]=ADDRESS, of the configuration */
	size_t nhost;	  /* length of HOST in it */
	uint32_t addr;	  /* host byte order */
	uint16_t port;
};

struct config_offer {
	char *name;
	char *description;
	uint64_t cpu;			  /* thousandths of a core */
	uint64_t memory, disk, pids;	  /* bytes; processes and threads */
	uint64_t swap;			  /* bytes beyond memory */
	uint64_t disk_max;		  /* bytes that a disk may grow to; 0: it does not */
	uint64_t disk_read, disk_write;	  /* bytes a second; 0: as fast as it is */
	uint64_t disk_reads, disk_writes; /* operations a second */
	struct spec_bandwidth bandwidth;  /* bytes a second; 0: no limit but the network's */
	struct price price;
	struct sat min_payment, refund_min;
	struct price volume_price;	  /* of a GiB of a kept volume; per 0: none are sold */
	uint64_t volume_max;		  /* bytes of one */
	bool private_layers;		  /* the image is copied to each lease's own disk */
	int64_t start_timeout, max_lease; /* seconds */
	char **image_lines;		  /* as written */
	struct config_image *images;
	size_t nimages;
	char **template_names;
	struct spec_template *templates;
	size_t ntemplates;
	char *grant; /* the operator's file; NULL: none. Only leased reads it */
	char **capabilities, **rlimits, *gpu; /* as written */
	uint64_t gpu_max;
	struct spec_allowance allow; /* what these four say */
	char *backend_name;	     /* as written; may be NULL */
	enum config_backend backend;
};

struct config {
	/* [agent] */
	char *name;
	char *state_dir, *run_dir, *libexec_dir;
	char *user;	      /* of leased-core: a name, or a number that may be unused */
	char *seed_key_file;  /* seed.key beside leased.conf by default */
	char *control_socket; /* RUN_DIR/core/leased.sock by default */
	char *templates;      /* folder of the operator's own */
	char *control_group;  /* may be NULL: root and the core's user only */
	char *metrics;	      /* "127.0.0.1:9737", or "off" */
	char metrics_address[46];
	uint16_t metrics_port; /* 0: off */
	char *log_level_name;
	enum log_level log_level;
	/* [nostr]: lists are NULL-ended; dm_relays falls back to relays */
	char **relays, **dm_relays;
	bool allow_local; /* plain ws:// and http:// to loopback and private addresses */
	/* [wallet] */
	char **mints;
	char *unit; /* "sat" */
	bool require_lock;
	uint64_t max_proofs;
	struct sat exposure_cap; /* per mint; 0: none */
	char *at_cap_name;
	bool refuse_at_cap;
	char *sweep_to; /* USER@HOST or "off" */
	struct sat sweep_above;
	/* [limits]; budgets of 0: what the machine has */
	uint64_t max_leases, max_volumes;
	int64_t max_lease;    /* seconds */
	uint64_t request_cpu; /* thousandths of a core for the requests of strangers */
	uint64_t disk_budget, memory_budget, cpu_budget;
	/* [runtime] */
	char *backend_name;
	enum config_backend backend; /* of offers that name none */
	char *docker;		     /* "unix:///var/run/docker.sock" */
	char *runtime;		     /* runc, crun, runsc: name or path */
	bool allow_cgroup_v1, refuse_old_runtime;
	char *cgroup_parent;
	uint64_t log_max; /* bytes of output kept for a lease */
	char **cdi_dirs;  /* may be NULL: the usual two */
	/* [volume] */
	char *activation_name, *header_name, *disk_name;
	enum config_activation activation;
	enum config_header header;
	enum config_disk disk;
	uint64_t pool; /* volumes prepared ahead for each offer */
	char **asset_lines;
	struct config_asset *assets;
	size_t nassets;
	/* [network] */
	char *network_name;
	enum config_network network;
	char *addresses;	      /* "10.211.0.0/16" */
	char **resolvers;	      /* IPv4 */
	uint64_t bandwidth;	      /* bytes a second, each way; 0: no limit */
	uint64_t source_ports;	      /* of each lease; 0: no fixed block */
	uint32_t net_base, net_slots; /* of addresses, host byte order; two for each slot */
	char *prefix6_text;	      /* "2001:db8:1::/64", or "none" */
	bool has6;
	uint8_t prefix6[16];
	char *publish_ports;		       /* "20000-29999", or "none" */
	uint16_t publish_first, publish_last;  /* 0: none */
	char *publish_address;		       /* what buyers are told */
	int64_t reconnect_pause, port_history; /* seconds */
	uint32_t resolver[CONFIG_RESOLVERS_MAX];
	size_t nresolvers;
	/* [images] */
	char *default_registry; /* may be NULL */
	char **mirrors, **reach_lines, **plain_http;
	char *ca_file;	       /* may be NULL */
	uint64_t image_max;    /* bytes */
	uint64_t store_max;    /* bytes of all unpacked images; 0: no limit */
	uint64_t unpacked_max; /* bytes of one */
	int64_t pull_timeout;  /* seconds */
	uint64_t pulls;	       /* at a time */
	bool pulls_images;     /* an offer has one of a registry or an archive */
	struct config_reach *reach;
	size_t nreach;
	/* [offer NAME], in the order of the file */
	struct config_offer **offers;
	size_t noffers;
};

/* Read and check; every error names the file, and the line where one is at fault. */
int config_load(struct config **out, const char *path, struct err *e) MUST_CHECK;
void config_free(struct config *c);
DEFINE_AUTO(struct config, config_free)
#define auto_config AUTO(config_free)

/* Word of a backend; does an offer have it? */
const char *config_backend_word(enum config_backend b);
bool config_uses(const struct config *c, enum config_backend b);
/* "STATE_DIR/FILE", the caller's to free. */
char *config_state_file(const struct config *c, const char *file);
/* The effective configuration as a commented file that config_load reads again. */
void config_print(struct buf *out, const struct config *c);
/* A struct with every default and no offer, to be filled and printed by leasectl init. */
struct config *config_new(void);
struct config_offer *config_add_offer(struct config *c, const char *name, struct err *e);
/* The checks of config_load on a filled struct; what depends on the file's place is set there. */
int config_check(struct config *c, struct err *e) MUST_CHECK;
int config_check_network(struct config *c, struct err *e) MUST_CHECK;
int config_check_metrics(struct config *c, struct err *e) MUST_CHECK;
/* Links of leases begin so; the name follows from the addresses, which no other agent has. */
#define CONFIG_LINK_MAX 16
void config_link_name(char out[static CONFIG_LINK_MAX], const struct config *c);
/* One line of [volume] assets; all of them. */
int config_check_asset(struct str line, struct err *e) MUST_CHECK;
int config_fill_assets(struct config *c, struct err *e) MUST_CHECK;
void config_clear_assets(struct config *c);

/* Inside src/agent: what an offer's buyers may ask for. */
int config_fill_allowance(struct config_offer *o, struct err *e) MUST_CHECK;
/* One value of the keys capability, rlimit and gpu. */
int config_check_capability(struct str v, struct err *e) MUST_CHECK;
int config_check_rlimit(struct str v, struct err *e) MUST_CHECK;
int config_check_gpu(struct str v, struct err *e) MUST_CHECK;

/* Inside src/agent: the templates that an offer serves, read from their files; what each needs is
 * there, and its image is one of the offer's. */
int config_fill_templates(const struct config *c, struct config_offer *o, struct err *e) MUST_CHECK;
void config_clear_templates(struct config_offer *o);

/* Inside src/agent: the key docker, and what an offer's backend cannot give. */
int config_check_docker(struct str v, struct err *e) MUST_CHECK;
int config_check_backend(const struct config_offer *o, struct err *e) MUST_CHECK;
/* The same of the offer's grant, whose file is read by those who need it. */
int config_check_grant(const struct config_offer *o, const struct spec_grant *g,
		       struct err *e) MUST_CHECK;

/* Inside src/agent: images of offers and the section [images]. */
int config_check_image(struct str line, struct err *e) MUST_CHECK;
int config_fill_images(struct config_offer *o, struct err *e) MUST_CHECK;
/* That one, too, unless it is there. */
int config_add_image(struct config_offer *o, const char *ref, struct err *e) MUST_CHECK;
void config_clear_images(struct config_offer *o);
int config_check_pulls(struct config *c, struct err *e) MUST_CHECK;
/* After the offers: can what they name be reached at all? */
int config_check_reach(struct config *c, struct err *e) MUST_CHECK;

#endif
