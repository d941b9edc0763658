#include "agent/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/mem.h"
#include "spec/spec.h"

enum { OFFER_NAME_LENGTH = 32, OFFERS_MAX = 32, DESCRIPTION_MAX = 200 };

#define AT(member)    offsetof(struct config, member)
#define OFFER(member) offsetof(struct config_offer, member)

/* clang-format off */
static const struct conf_key keys[] = {
	{ "agent", "name", CONF_STRING, AT(name), "leased", 0, 0,
	  "Name that buyers see beside the key." },
	{ "agent", "state_dir", CONF_PATH, AT(state_dir), LOCALSTATEDIR "/lib/leased", 0, 0,
	  "Keys, wallet, database and encrypted volumes." },
	{ "agent", "run_dir", CONF_PATH, AT(run_dir), RUNDIR, 0, 0,
	  "Sockets, bundles and volume headers; leased mounts a tmpfs where this is a disk." },
	{ "agent", "libexec_dir", CONF_PATH, AT(libexec_dir), LIBEXECDIR, 0, 0,
	  "Where leased-core and leased-keeper are installed." },
	{ "agent", "user", CONF_STRING, AT(user), "leased", 0, 0,
	  "User of leased-core: a name, or a number that nobody else uses." },
	{ "agent", "seed_key_file", CONF_PATH, AT(seed_key_file), NULL, 0, 0,
	  "Key or passphrase that opens the wallet's seed; seed.key beside this file where not set." },
	{ "agent", "control_socket", CONF_PATH, AT(control_socket), NULL, 0, 0,
	  "Socket for leasectl; core/leased.sock in run_dir where not set." },
	{ "agent", "control_group", CONF_STRING, AT(control_group), NULL, 0, 0,
	  "Group whose members may use leasectl, besides root." },
	{ "agent", "templates", CONF_PATH, AT(templates), SYSCONFDIR "/leased/templates", 0, 0,
	  "Folder of your own templates, NAME.json; those that are installed come after it." },
	{ "agent", "metrics", CONF_STRING, AT(metrics), "off", 0, 0,
	  "Loopback address and port where GET /metrics is answered, such as 127.0.0.1:9737, or off." },
	{ "agent", "log_level", CONF_STRING, AT(log_level_name), "info", 0, 0,
	  "Least important lines to log: debug, info, warn or broken." },

	{ "nostr", "relay", CONF_LIST, AT(relays), NULL, 0, 0,
	  "Relay for offers, requests and replies; repeat the key, three or more are wise." },
	{ "nostr", "dm_relay", CONF_LIST, AT(dm_relays), NULL, 0, 0,
	  "Relay where requests are read, if not all of the above." },
	{ "nostr", "allow_local", CONF_BOOL, AT(allow_local), "no", 0, 0,
	  "Allow unencrypted relays and mints on loopback and private addresses, for trials." },

	{ "wallet", "mint", CONF_LIST, AT(mints), NULL, 0, 0,
	  "Mint whose tokens are taken; what lies there is a credit to its operator." },
	{ "wallet", "unit", CONF_STRING, AT(unit), "sat", 0, 0,
	  "Unit of prices and tokens; sat is the only one." },
	{ "wallet", "require_lock", CONF_BOOL, AT(require_lock), "yes", 0, 0,
	  "Take only tokens that are locked to our payment key." },
	{ "wallet", "max_proofs", CONF_UINT, AT(max_proofs), "64", 1, 256,
	  "Most proofs in one token." },
	{ "wallet", "exposure_cap", CONF_SAT, AT(exposure_cap), "0", 0, 0,
	  "Most that should lie at one mint, with a warning at 80 %; 0 for no cap." },
	{ "wallet", "at_cap", CONF_STRING, AT(at_cap_name), "warn", 0, 0,
	  "What a mint at its cap means: warn, or refuse its tokens until some are withdrawn." },
	{ "wallet", "sweep_to", CONF_STRING, AT(sweep_to), "off", 0, 0,
	  "Lightning address that free money goes to by itself, or off." },
	{ "wallet", "sweep_above", CONF_SAT, AT(sweep_above), "10000sat", 100, 0,
	  "So much must be free at a mint before it goes." },

	{ "limits", "max_leases", CONF_UINT, AT(max_leases), "32", 1, 10000,
	  "Most leases at a time." },
	{ "limits", "max_volumes", CONF_UINT, AT(max_volumes), "32", 1, 2000,
	  "Most volumes that outlive leases at a time." },
	{ "limits", "max_lease", CONF_DURATION, AT(max_lease), "30d", 60, CONFIG_LEASE_MAX,
	  "Longest paid time of a lease, top-ups included." },
	{ "limits", "request_cpu", CONF_CORES, AT(request_cpu), "500m", 10, 1000,
	  "Share of a core that requests of strangers may use." },
	{ "limits", "disk_budget", CONF_BYTES, AT(disk_budget), "0", 0, 0,
	  "Disk for all leases together; 0 for what is free." },
	{ "limits", "memory_budget", CONF_BYTES, AT(memory_budget), "0", 0, 0,
	  "Memory for all leases together; 0 for what the machine has." },
	{ "limits", "cpu_budget", CONF_CORES, AT(cpu_budget), "0", 0, 0,
	  "Cores for all leases together; 0 for what the machine has." },

	{ "runtime", "backend", CONF_STRING, AT(backend_name), "oci", 0, 0,
	  "How containers are run: oci, a runc-compatible runtime, or docker, a daemon." },
	{ "runtime", "path", CONF_STRING, AT(runtime), "runc", 0, 0,
	  "The runtime: runc, crun or runsc, a name or an absolute path." },
	{ "runtime", "docker", CONF_STRING, AT(docker), "unix:///var/run/docker.sock", 0, 0,
	  "Socket of Docker's daemon, which must be on this machine." },
	{ "runtime", "refuse_old", CONF_BOOL, AT(refuse_old_runtime), "no", 0, 0,
	  "Do not start with a runtime of which ways out are known; else offers say so." },
	{ "runtime", "allow_cgroup_v1", CONF_BOOL, AT(allow_cgroup_v1), "no", 0, 0,
	  "Run on a machine with cgroup version 1; offers then say so." },
	{ "runtime", "cgroup_parent", CONF_STRING, AT(cgroup_parent), "leased", 0, 0,
	  "Cgroup below which each lease gets its own." },
	{ "runtime", "log_max", CONF_BYTES, AT(log_max), "16Mi", 1 << 16, (uint64_t)1 << 30,
	  "Output kept for each lease." },
	{ "runtime", "cdi_dir", CONF_LIST, AT(cdi_dirs), NULL, 0, 0,
	  "Folder with CDI files of graphics cards; /etc/cdi and /var/run/cdi where not set." },

	{ "volume", "activation", CONF_STRING, AT(activation_name), "auto", 0, 0,
	  "Encryption of volumes: auto, dm-crypt, fuse, or none for trials." },
	{ "volume", "header", CONF_STRING, AT(header_name), "tmpfs", 0, 0,
	  "Where volume headers and keys lie: tmpfs (gone for ever with a reboot) or disk: leases then "
	  "run again after one, and a copy of the disk opens their data." },
	{ "volume", "class", CONF_STRING, AT(disk_name), "local", 0, 0,
	  "What state_dir lies on: local, or network, where databases of leases are not safe." },
	{ "volume", "pool", CONF_UINT, AT(pool), "1", 0, 16,
	  "Volumes prepared ahead for each offer." },
	{ "volume", "assets", CONF_LIST, AT(asset_lines), NULL, 0, 0,
	  "NAME=/FOLDER of this host that every lease may read; repeat the key." },

	{ "network", "mode", CONF_STRING, AT(network_name), "none", 0, 0,
	  "Network of a lease: none, loopback, or internet: public addresses and nothing else." },
	{ "network", "addresses", CONF_STRING, AT(addresses), "10.211.0.0/16", 0, 0,
	  "Addresses of the leases' links, two for each; of no other agent on this host." },
	{ "network", "resolver", CONF_LIST, AT(resolvers), NULL, 0, 0,
	  "Name server of the leases, IPv4; repeat the key. Port 53 of others is closed to them." },
	{ "network", "bandwidth", CONF_BYTES, AT(bandwidth), "0", 0, (uint64_t)1 << 40,
	  "Bytes a second of a lease, each way; 0 for no limit." },
	{ "network", "source_ports", CONF_UINT, AT(source_ports), "0", 0, 8192,
	  "Source ports of each lease, from 10000 on, so that they tell who it was; 0 for any." },
	{ "network", "port_history", CONF_DURATION, AT(port_history), "90d", 0, 3650 * 86400,
	  "So long after a lease its source ports, published ports and address are remembered." },
	{ "network", "prefix6", CONF_STRING, AT(prefix6_text), "none", 0, 0,
	  "IPv6 prefix that is routed to this host, /64 to /96, such as 2001:db8:1:2::/64." },
	{ "network", "publish_ports", CONF_STRING, AT(publish_ports), "none", 0, 0,
	  "Ports of this host that leases may publish, such as 20000-29999; nothing else may listen there." },
	{ "network", "publish_address", CONF_STRING, AT(publish_address), NULL, 0, 0,
	  "Address or name under which buyers reach published ports; needed with publish_ports." },
	{ "network", "reconnect_pause", CONF_DURATION, AT(reconnect_pause), "10m", 0, 86400,
	  "A lease whose network was cut off stays so for this long, then its owner may join it again." },

	{ "images", "default_registry", CONF_STRING, AT(default_registry), NULL, 0, 0,
	  "Registry of images that are named without one, such as docker.io; none where not set." },
	{ "images", "mirror", CONF_LIST, AT(mirrors), NULL, 0, 0,
	  "HOST=MIRROR: ask this one first for images of that registry; repeat the key." },
	{ "images", "reach", CONF_LIST, AT(reach_lines), NULL, 0, 0,
	  "HOST[:PORT]=ADDRESS: registry or mirror at a private address that pulls may reach." },
	{ "images", "plain_http", CONF_LIST, AT(plain_http), NULL, 0, 0,
	  "HOST[:PORT] of a registry or mirror that speaks no TLS." },
	{ "images", "ca_file", CONF_PATH, AT(ca_file), NULL, 0, 0,
	  "Certificates of further authorities for registries, in PEM." },
	{ "images", "max_size", CONF_BYTES, AT(image_max), "4Gi", 1 << 20, (uint64_t)1 << 40,
	  "Largest image that is pulled, as its manifest has it." },
	{ "images", "store_max", CONF_BYTES, AT(store_max), "20Gi", 0, (uint64_t)1 << 50,
	  "Disk for unpacked images; those used longest ago make room. 0 for no limit." },
	{ "images", "unpacked_max", CONF_BYTES, AT(unpacked_max), "10Gi", 1 << 20, (uint64_t)1 << 50,
	  "Largest image, unpacked." },
	{ "images", "timeout", CONF_DURATION, AT(pull_timeout), "4m", 5, 3600,
	  "A pull that takes longer is ended; at most an offer's start_timeout is of use." },
	{ "images", "pulls", CONF_UINT, AT(pulls), "4", 1, CONFIG_PULLS_MAX,
	  "Pulls at a time." },
};

static const struct conf_key offer_keys[] = {
	{ NULL, "description", CONF_STRING, OFFER(description), NULL, 0, 0,
	  "A line for buyers." },
	{ NULL, "backend", CONF_STRING, OFFER(backend_name), NULL, 0, 0,
	  "How containers of this offer are run: oci or docker; as [runtime] backend where not set." },
	{ NULL, "cpu", CONF_CORES, OFFER(cpu), "1", SPEC_CPU_MIN, SPEC_CPU_MAX,
	  "Cores, such as 2 or 500m." },
	{ NULL, "memory", CONF_BYTES, OFFER(memory), "512Mi", SPEC_MEMORY_MIN, SPEC_MEMORY_MAX,
	  "Memory." },
	{ NULL, "disk", CONF_BYTES, OFFER(disk), "2Gi", SPEC_DISK_MIN, SPEC_DISK_MAX,
	  "Encrypted disk: everything that the container writes." },
	{ NULL, "pids", CONF_UINT, OFFER(pids), "256", SPEC_PIDS_MIN, SPEC_PIDS_MAX,
	  "Processes and threads." },
	{ NULL, "swap", CONF_BYTES, OFFER(swap), "0", 0, SPEC_MEMORY_MAX,
	  "Swap beyond the memory." },
	{ NULL, "disk_max", CONF_BYTES, OFFER(disk_max), "0", 0, SPEC_DISK_MAX,
	  "So large a lease's disk may grow, for volume_price more; 0: it does not." },
	{ NULL, "disk_read", CONF_BYTES, OFFER(disk_read), "0", 0, SPEC_RATE_MAX,
	  "Bytes a second that are read from the disk at most; 0 is no limit." },
	{ NULL, "disk_write", CONF_BYTES, OFFER(disk_write), "0", 0, SPEC_RATE_MAX,
	  "Bytes a second that are written to it; 0 is no limit." },
	{ NULL, "disk_reads", CONF_UINT, OFFER(disk_reads), "0", 0, SPEC_IOPS_MAX,
	  "Reads a second; 0 is no limit." },
	{ NULL, "disk_writes", CONF_UINT, OFFER(disk_writes), "0", 0, SPEC_IOPS_MAX,
	  "Writes a second; 0 is no limit." },
	{ NULL, "bandwidth_in", CONF_BYTES, OFFER(bandwidth.in), "0", 0, SPEC_RATE_MAX,
	  "Bytes a second that a lease gets from its network at most; 0 is no limit but [network] bandwidth." },
	{ NULL, "bandwidth_out", CONF_BYTES, OFFER(bandwidth.out), "0", 0, SPEC_RATE_MAX,
	  "Bytes a second that it sends; 0 is no limit but that." },
	{ NULL, "price", CONF_PRICE, OFFER(price), NULL, 0, 0,
	  "Price, such as 10sat/h, 500msat/s or 240sat/d." },
	{ NULL, "min_payment", CONF_SAT, OFFER(min_payment), "10sat", 1, 0,
	  "Smallest payment that is taken." },
	{ NULL, "refund_min", CONF_SAT, OFFER(refund_min), "3sat", 1, 0,
	  "Smallest refund that is made; less is kept. Two fees of the mint and one sat." },
	{ NULL, "volume_price", CONF_PRICE, OFFER(volume_price), NULL, 0, 0,
	  "Price of a GiB of a volume that outlives leases, such as 1sat/h; none are sold without it." },
	{ NULL, "volume_max", CONF_BYTES, OFFER(volume_max), "10Gi", SPEC_DISK_MIN, SPEC_DISK_MAX,
	  "Largest such volume; [limits] disk counts it as it counts a lease's disk." },
	{ NULL, "private_layers", CONF_BOOL, OFFER(private_layers), "no", 0, 0,
	  "Copy the image to each lease's own disk, so that leases share no page of memory." },
	{ NULL, "start_timeout", CONF_DURATION, OFFER(start_timeout), "300", 10, 3600,
	  "A start that takes longer is refunded." },
	{ NULL, "max_lease", CONF_DURATION, OFFER(max_lease), "24h", 60, CONFIG_LEASE_MAX,
	  "Longest paid time; at most 24h where headers lie on tmpfs." },
	{ NULL, "image", CONF_LIST, OFFER(image_lines), NULL, 0, 0,
	  "Image that may run: [NAME=]oci:/LAYOUT[:TAG], [NAME=]HOST/PATH[:TAG], HOST/*; may repeat." },
	{ NULL, "capability", CONF_LIST, OFFER(capabilities), NULL, 0, 0,
	  "Capability that buyers may ask for, beyond the eleven that all have; may repeat." },
	{ NULL, "rlimit", CONF_LIST, OFFER(rlimits), NULL, 0, 0,
	  "NAME:MAX, the highest limit of a process that buyers may ask for; may repeat." },
	{ NULL, "gpu", CONF_STRING, OFFER(gpu), "none", 0, 0,
	  "Graphics cards of the offer: VENDOR:COUNT[@NUMBER,…], such as nvidia:2." },
	{ NULL, "gpu_max", CONF_UINT, OFFER(gpu_max), "1", 1, SPEC_GPUS_MAX,
	  "Graphics cards that one lease may have." },
	{ NULL, "template", CONF_LIST, OFFER(template_names), NULL, 0, 0,
	  "Template that its leases may be of, by name; its image is one of the offer's. May repeat." },
	{ NULL, "grant", CONF_PATH, OFFER(grant), NULL, 0, 0,
	  "File that gives every lease of the offer folders, devices and powers of the host." },
};
/* clang-format on */

/* --- words --- */

struct word {
	const char *name;
	int value;
};

static const struct word log_levels[] = {
	{"debug", LOGL_DEBUG},	 {"info", LOGL_INFO}, {"warn", LOGL_WARN},
	{"broken", LOGL_BROKEN}, {NULL, 0},
};
static const struct word activations[] = {
	{"auto", CONFIG_AUTO},
	{"dm-crypt", CONFIG_DM_CRYPT},
	{"fuse", CONFIG_FUSE},
	{"none", CONFIG_PLAIN},
	{NULL, 0},
};
static const struct word headers[] = {
	{"tmpfs", CONFIG_HEADER_TMPFS},
	{"disk", CONFIG_HEADER_DISK},
	{NULL, 0},
};
static const struct word disks[] = {
	{"local", CONFIG_DISK_LOCAL},
	{"network", CONFIG_DISK_NETWORK},
	{NULL, 0},
};
static const struct word networks[] = {
	{"none", CONFIG_NETWORK_NONE},
	{"loopback", CONFIG_NETWORK_LOOPBACK},
	{"internet", CONFIG_NETWORK_INTERNET},
	{NULL, 0},
};
static const struct word caps[] = {{"warn", 0}, {"refuse", 1}, {NULL, 0}};
static const struct word units[] = {{"sat", 0}, {NULL, 0}};
static const struct word backends[] = {{"oci", CONFIG_OCI}, {"docker", CONFIG_DOCKER}, {NULL, 0}};

/* Keys of type CONF_STRING that take one of a few words. */
static const struct {
	size_t offset;
	const struct word *words;
} word_keys[] = {
	{AT(log_level_name), log_levels}, {AT(activation_name), activations},
	{AT(header_name), headers},	  {AT(disk_name), disks},
	{AT(network_name), networks},	  {AT(unit), units},
	{AT(at_cap_name), caps},	  {AT(backend_name), backends},
};

static int find_word(const struct word *words, struct str v, int *value, struct err *e)
{
	auto_buf struct buf known = BUF(128);
	const struct word *w;

	for (w = words; w->name; w++) {
		if (str_is(v, w->name)) {
			*value = w->value;
			return 0;
		}
		buf_printf(&known, "%s%s", known.n ? ", " : "", w->name);
	}
	return err_set(e, ERRK_INPUT, "\"%.*s\" is none of: %s", (int)v.n, v.p, buf_view(&known).p);
}

/* --- values that need more than a range --- */

static int check_url(struct str v, const char *plain, const char *tls, struct err *e)
{
	size_t i;

	if (!str_starts(v, plain) && !str_starts(v, tls))
		return err_set(e, ERRK_INPUT, "\"%.*s\" does not begin with %s", (int)v.n, v.p,
			       tls);
	for (i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 127 || strchr("\"<>\\^`{|}@?#", v.p[i]))
			return err_set(e, ERRK_INPUT, "\"%.*s\" holds a character that it must not",
				       (int)v.n, v.p);
	return 0;
}

/* "off", or USER@HOST; who it is only the host knows. */
static int check_address(struct str v, struct err *e)
{
	struct str host = v, user = {0};

	if (str_is(v, "off"))
		return 0;
	str_cut(&host, '@', &user);
	if (!user.n || !host.n || memchr(host.p, '@', host.n))
		return err_set(e, ERRK_INPUT, "\"%.*s\" is neither off nor USER@HOST", (int)v.n,
			       v.p);
	return 0;
}

static bool is_offer_key(const struct conf_key *k, size_t offset)
{
	return !k->section && k->offset == offset;
}

/* Called by conf_load for each value, so that the error has its line. */
static int check_value(const struct conf_key *k, struct str v, struct err *e)
{
	size_t i;
	int unused;

	if (is_offer_key(k, OFFER(image_lines)))
		return config_check_image(v, e);
	if (is_offer_key(k, OFFER(capabilities)))
		return config_check_capability(v, e);
	if (is_offer_key(k, OFFER(rlimits)))
		return config_check_rlimit(v, e);
	if (is_offer_key(k, OFFER(gpu)))
		return config_check_gpu(v, e);
	if (is_offer_key(k, OFFER(backend_name)))
		return find_word(backends, v, &unused, e);
	if (is_offer_key(k, OFFER(description)) && v.n > DESCRIPTION_MAX)
		return err_set(e, ERRK_INPUT, "longer than %d bytes", DESCRIPTION_MAX);
	if (!k->section)
		return 0;
	if (k->offset == AT(relays) || k->offset == AT(dm_relays))
		return check_url(v, "ws://", "wss://", e);
	if (k->offset == AT(asset_lines))
		return config_check_asset(v, e);
	if (k->offset == AT(docker))
		return config_check_docker(v, e);
	if (k->offset == AT(sweep_to))
		return check_address(v, e);
	if (k->offset == AT(mints))
		return check_url(v, "http://", "https://", e);
	for (i = 0; i < ARRAY_SIZE(word_keys); i++)
		if (k->offset == word_keys[i].offset)
			return find_word(word_keys[i].words, v, &unused, e);
	return 0;
}

/* --- offers --- */

struct config_offer *config_add_offer(struct config *c, const char *name, struct err *e)
{
	struct config_offer *o;
	size_t i;

	for (i = 0; i < c->noffers; i++)
		if (strcmp(c->offers[i]->name, name) == 0)
			return c->offers[i];
	if (!str_is_name(str_of(name), OFFER_NAME_LENGTH)) {
		err_set(e, ERRK_INPUT, "an offer's name is 1 to %d of a-z, 0-9 and -",
			OFFER_NAME_LENGTH);
		return NULL;
	}
	if (c->noffers == OFFERS_MAX) {
		err_set(e, ERRK_LIMIT, "more than %d offers", OFFERS_MAX);
		return NULL;
	}
	o = mem_zero(sizeof(*o));
	o->name = mem_strdup(name);
	c->offers = mem_grow(c->offers, c->noffers + 1, sizeof(*c->offers));
	c->offers[c->noffers++] = o;
	return o;
}

static void *offer_item(void *target, const char *name, struct err *e)
{
	return config_add_offer(target, name, e);
}

static const struct conf_group groups[] = {
	{"offer", offer_item, offer_keys, ARRAY_SIZE(offer_keys)},
};
static const struct conf_schema schema = {
	keys, ARRAY_SIZE(keys), groups, ARRAY_SIZE(groups), check_value,
};

static int check_backend(const struct config *c, struct config_offer *o, struct err *e)
{
	int backend = (int)c->backend;

	if (o->backend_name && find_word(backends, str_of(o->backend_name), &backend, e))
		return err_wrap(e, "backend");
	o->backend = (enum config_backend)backend;
	return config_check_backend(o, e);
}

static int check_offer(const struct config *c, struct config_offer *o, struct err *e)
{
	if (o->price.per == 0)
		return err_set(e, ERRK_INPUT, "price is missing");
	if (o->disk_max && (o->disk_max < o->disk || o->volume_price.per == 0))
		return err_set(e, ERRK_INPUT,
			       "disk_max: want at least disk, and a volume_price for what is more");
	if (o->max_lease > c->max_lease)
		return err_set(e, ERRK_INPUT, "max_lease is longer than that of [limits]");
	if (c->header == CONFIG_HEADER_TMPFS && o->max_lease > CONFIG_MEMORY_LEASE_MAX)
		return err_set(e, ERRK_INPUT,
			       "max_lease is longer than 24h, but headers lie on tmpfs");
	if (!o->image_lines && !o->template_names)
		return err_set(e, ERRK_INPUT, "no image is allowed: set image = NAME=oci:/LAYOUT");
	if (config_fill_allowance(o, e) || config_fill_images(o, e))
		return -1;
	return config_fill_templates(c, o, e) ? -1 : check_backend(c, o, e);
}

/* --- the whole --- */

static int fill_words(struct config *c, struct err *e)
{
	int level = 0, activation = 0, header = 0, disk = 0, network = 0, cap = 0, backend = 0,
	    unused;

	if (find_word(log_levels, str_of(c->log_level_name), &level, e) ||
	    find_word(activations, str_of(c->activation_name), &activation, e) ||
	    find_word(headers, str_of(c->header_name), &header, e) ||
	    find_word(disks, str_of(c->disk_name), &disk, e) ||
	    find_word(networks, str_of(c->network_name), &network, e) ||
	    find_word(units, str_of(c->unit), &unused, e) ||
	    find_word(caps, str_of(c->at_cap_name), &cap, e) ||
	    find_word(backends, str_of(c->backend_name), &backend, e))
		return -1;
	c->log_level = (enum log_level)level;
	c->activation = (enum config_activation)activation;
	c->header = (enum config_header)header;
	c->disk = (enum config_disk)disk;
	c->network = (enum config_network)network;
	c->backend = (enum config_backend)backend;
	c->refuse_at_cap = cap == 1;
	return 0;
}

/* Plain ws:// and http:// are for loopback trials only. */
static int check_tls(const struct config *c, char *const *urls, const char *plain, struct err *e)
{
	for (; urls && *urls; urls++)
		if (!c->allow_local && str_starts(str_of(*urls), plain))
			return err_set(e, ERRK_INPUT,
				       "%s is unencrypted: allow_local = yes in [nostr] allows it",
				       *urls);
	return 0;
}

int config_check(struct config *c, struct err *e)
{
	size_t i;

	if (fill_words(c, e))
		return -1;
	if (!c->relays)
		return err_set(e, ERRK_INPUT, "[nostr] relay is missing");
	if (!c->mints)
		return err_set(e, ERRK_INPUT, "[wallet] mint is missing");
	if (c->noffers == 0)
		return err_set(e, ERRK_INPUT, "there is no [offer NAME]");
	if (check_tls(c, c->relays, "ws://", e) || check_tls(c, c->dm_relays, "ws://", e) ||
	    check_tls(c, c->mints, "http://", e))
		return -1;
	if (config_check_metrics(c, e))
		return err_wrap(e, "[agent] metrics");
	if (config_check_network(c, e))
		return err_wrap(e, "[network]");
	if (config_fill_assets(c, e))
		return err_wrap(e, "[volume] assets");
	if (config_check_pulls(c, e))
		return err_wrap(e, "[images]");
	if (!c->control_socket)
		c->control_socket = mem_printf("%s/core/leased.sock", c->run_dir);
	for (i = 0; i < c->noffers; i++)
		if (check_offer(c, c->offers[i], e))
			return err_wrap(e, "[offer %s]", c->offers[i]->name);
	return config_check_reach(c, e);
}

static char *file_beside(const char *path, const char *name)
{
	auto_free char *here = *path == '/' ? mem_strdup("") : getcwd(NULL, 0);
	const char *slash = strrchr(path, '/');
	int n = slash ? (int)(slash - path + 1) : 0;

	return mem_printf("%s%s%.*s%s", here ? here : "", *path == '/' ? "" : "/", n, path, name);
}

int config_load(struct config **out, const char *path, struct err *e)
{
	auto_config struct config *c = mem_zero(sizeof(*c));

	if (conf_load(c, &schema, path, e))
		return -1;
	if (config_check(c, e))
		return err_wrap(e, "%s", path);
	if (!c->seed_key_file)
		c->seed_key_file = file_beside(path, "seed.key");
	*out = steal(&c);
	return 0;
}

struct config *config_new(void)
{
	struct config *c = mem_zero(sizeof(*c));

	/* Defaults are constants of ours; config_load would refuse them as well. */
	if (conf_defaults(c, &schema, NULL))
		abort();
	return c;
}

static void free_offer(struct config_offer *o)
{
	config_clear_images(o);
	config_clear_templates(o);
	conf_clear(o, offer_keys, ARRAY_SIZE(offer_keys));
	free(o->name);
	free(o);
}

void config_free(struct config *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->noffers; i++)
		free_offer(c->offers[i]);
	free(c->offers);
	free(c->reach);
	config_clear_assets(c);
	conf_clear(c, keys, ARRAY_SIZE(keys));
	free(c);
}

char *config_state_file(const struct config *c, const char *file)
{
	return mem_printf("%s/%s", c->state_dir, file);
}

void config_print(struct buf *out, const struct config *c)
{
	size_t i;

	conf_print(out, c, keys, ARRAY_SIZE(keys));
	for (i = 0; i < c->noffers; i++) {
		buf_printf(out, "\n[offer %s]\n", c->offers[i]->name);
		conf_print(out, c->offers[i], offer_keys, ARRAY_SIZE(offer_keys));
	}
}
