/* The scripted host of the simulations: see host.h. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "spec/spec.h"

static char no_text[] = "";

static void worker_died(struct host *h, struct priv_call call)
{
	struct err e;

	err_set(&e, ERRK_SYS, "the worker died");
	priv_server_fail(h->server, call, &e);
}

static void host_node(struct host *h, struct priv_call call)
{
	char name[] = "small";
	struct priv_node_offer offer = {.name = name, .away = h->away};
	struct priv_node_reply r = {.cpus = 4,
				    .memory_total = UINT64_C(8) << 30,
				    .memory_available = UINT64_C(4) << 30,
				    .disk_total = UINT64_C(100) << 30,
				    .disk_free = UINT64_C(50) << 30,
				    .cgroup_version = 2,
				    .activation = PRIV_DM_CRYPT,
				    .net_repairs = h->net_repairs,
				    .offers = {&offer, h->away ? 1 : 0}};

	priv_server_reply(h->server, call, &r);
}

static char digest[SPEC_DIGEST_SIZE] =
	"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* The offer's, and one that another buyer brought. */
static void host_images(struct host *h, struct priv_call call)
{
	static char other[SPEC_DIGEST_SIZE] =
		"sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
	static char name[] = "registry.example/secret";
	char *names[] = {name, NULL};
	struct priv_images_item items[] = {
		{.digest = other, .size = 7, .names = {names, 1}},
		{.digest = digest, .size = 12345},
	};
	struct priv_images_reply r = {.items = {items, h->cold ? 1 : 2}};

	h->looks++;
	if (h->silent_image)
		return;
	priv_server_reply(h->server, call, &r);
}

static void host_image(struct host *h, struct priv_call call, const struct priv_image *m)
{
	struct priv_image_reply r = {.outcome = h->image, .platform = no_text};
	char now[SPEC_DIGEST_SIZE];

	h->images++;
	h->pull = m->pull;
	h->nauth = m->auth.n;
	if (h->away && *m->offer)
		r.outcome = PRIV_IMAGE_AWAY;
	memcpy(now, digest, sizeof(now));
	if (h->newest)
		now[SPEC_DIGEST_SIZE - 2] = h->newest;
	if (h->silent_image)
		return;
	r.digest = r.outcome == PRIV_IMAGE_FOUND ? now : no_text;
	priv_server_reply(h->server, call, &r);
}

static void host_card(struct host *h, const char *card, const char *topup)
{
	snprintf(h->card, sizeof(h->card), "%s", card);
	snprintf(h->topup, sizeof(h->topup), "%s", topup);
}

static void note_spec(struct host *h, const struct spec *s)
{
	size_t n = 0;

	snprintf(h->ran, sizeof(h->ran), "%s", s->image ? s->image : "");
	h->paths[0] = '\0';
	for (size_t i = 0; i < s->storage.n && n < sizeof(h->paths); i++)
		n += (size_t)snprintf(h->paths + n, sizeof(h->paths) - n, "%s%s", i ? " " : "",
				      s->storage.v[i].path);
}

/* As the helper: what opens it is kept, and in memory until a reboot. */
static bool is_locked(struct host *h, const struct priv_start *m)
{
	if (!m->spec.own_key)
		return false;
	if (h->rebooted)
		h->has_key = false;
	if (h->has_key)
		return false;
	if (m->key.n != PRIV_KEY_LEN || (*h->key && memcmp(h->key, m->key.p, m->key.n) != 0))
		return true;
	memcpy(h->key, m->key.p, m->key.n);
	h->has_key = true;
	return false;
}

static void host_start(struct host *h, struct priv_call call, const struct priv_start *m)
{
	static char why[] = "no such command", locked[] = "its volume needs a key";
	struct priv_start_reply r = {.message = no_text,
				     .source_first = 10200,
				     .source_count = 100,
				     .address6 = h->address6 ? h->address6 : no_text};

	h->starts++;
	snprintf(h->first_arg, sizeof(h->first_arg), "%s", m->spec.args.n ? m->spec.args.v[0] : "");
	note_spec(h, &m->spec);
	memcpy(h->kept, m->spec.kept, sizeof(h->kept));
	memcpy(h->template, m->spec.template, sizeof(h->template));
	if (m->spec.env.n)
		snprintf(h->env, sizeof(h->env), "%.60s=%.60s", m->spec.env.v[0].name,
			 m->spec.env.v[0].value);
	h->generation = m->generation;
	h->seconds = m->seconds;
	host_card(h, m->card, m->topup);
	h->started = m->spec.digest[SPEC_DIGEST_SIZE - 2];
	h->bandwidth = m->spec.limits.bandwidth;
	h->inodes = m->spec.limits.inodes;
	h->nports = m->spec.ports.n;
	if (h->nports)
		memcpy(h->ports, m->spec.ports.v, h->nports * sizeof(*h->ports));
	h->clashes += h->there && strcmp(h->id, m->id) != 0;
	memcpy(h->id, m->id, sizeof(h->id));
	if (h->start == HOST_SILENT)
		return;
	if (h->start == HOST_ERRS || h->start_errors) {
		h->start_errors -= h->start_errors > 0;
		worker_died(h, call);
		return;
	}
	if (is_locked(h, m)) {
		r.outcome = PRIV_START_LOCKED;
		r.stage = PRIV_STAGE_VOLUME;
		r.message = locked;
		priv_server_reply(h->server, call, &r);
		return;
	}
	h->there = true;
	h->rebooted = false;
	if (h->start == HOST_FAILS) {
		r.outcome = PRIV_START_FAILED;
		r.stage = PRIV_STAGE_START;
		r.message = why;
	} else {
		h->started_ms = h->started_ms ? h->started_ms : clock_wall_ms();
		if (m->generation > 1)
			h->inspect = PRIV_BOX_RUNNING;
	}
	r.started_ms = h->started_ms;
	priv_server_reply(h->server, call, &r);
}

static void host_ports(struct host *h, struct priv_call call, const struct priv_ports *m)
{
	struct priv_ports_reply r = {.found = h->there};
	const struct priv_port *p = m->ports.v;

	h->port_calls++;
	if (h->port_errors) {
		h->port_errors--;
		worker_died(h, call);
		return;
	}
	h->nports = m->ports.n;
	for (size_t i = 0; i < m->ports.n; i++)
		h->ports[i] = (struct spec_port){(uint16_t)p[i].inside, (uint16_t)p[i].outside,
						 (enum spec_protocol)p[i].protocol};
	priv_server_reply(h->server, call, &r);
}

static void host_grow(struct host *h, struct priv_call call, const struct priv_grow *m)
{
	static char why[] = "not while it runs";
	struct priv_grow_reply r = {
		.found = h->there, .grown = !h->grow_refused, .message = no_text};

	h->grows++;
	if (h->grow_errors) {
		h->grow_errors--;
		worker_died(h, call);
		return;
	}
	if (r.grown)
		h->volume_bytes = m->volume_bytes;
	else
		r.message = why;
	priv_server_reply(h->server, call, &r);
}

static void host_net(struct host *h, struct priv_call call, const struct priv_net *m)
{
	struct priv_net_reply r = {.found = h->there};

	if (m->wish == PRIV_NET_RECONNECT) {
		h->reconnects++;
		h->cut = false;
	}
	r.cut = h->cut;
	priv_server_reply(h->server, call, &r);
}

static void host_inspect(struct host *h, struct priv_call call)
{
	struct priv_inspect_reply r = {.state = h->inspect,
				       .exit_status = PRIV_EXIT_UNKNOWN,
				       .started_ms = h->started_ms,
				       .deadline = h->deadline,
				       .generation = h->generation,
				       .cut = h->cut};

	h->inspects++;
	if (h->inspect_errors) {
		h->inspect_errors--;
		worker_died(h, call);
		return;
	}
	if (h->rebooted)
		r = (struct priv_inspect_reply){.state = PRIV_BOX_STOPPED,
						.exit_status = PRIV_EXIT_UNKNOWN,
						.deadline = h->deadline};
	else if (r.state == PRIV_BOX_STOPPED) {
		r.why = h->why ? h->why : PRIV_WHY_EXITED;
		r.exit_status = h->exit_status;
	}
	priv_server_reply(h->server, call, &r);
}

static void host_deadline(struct host *h, struct priv_call call, const struct priv_deadline *m)
{
	struct priv_deadline_reply r = {.found = true, .deadline = m->deadline};

	h->deadlines++;
	h->deadline = m->deadline;
	host_card(h, m->card, m->topup);
	priv_server_reply(h->server, call, &r);
}

static void host_destroy(struct host *h, struct priv_call call)
{
	static char left[] = "the volume is busy";
	struct priv_destroy_reply r = {.unproven = no_text, .message = no_text};

	h->destroys++;
	if (h->not_erased) {
		h->not_erased--;
		r.message = left;
	} else {
		r.erased = r.killed = r.unmounted = r.detached = r.removed = true;
		r.found = h->there;
		r.erased_at = clock_wall();
		h->there = false;
	}
	priv_server_reply(h->server, call, &r);
}

static void host_stop(struct host *h, struct priv_call call, const struct priv_stop *m)
{
	struct priv_stop_reply r = {PRIV_BOX_STOPPED, 143};

	h->stops++;
	h->grace_ms = m->grace_ms;
	if (h->stop_errors) {
		h->stop_errors--;
		worker_died(h, call);
		return;
	}
	h->inspect = PRIV_BOX_STOPPED;
	h->why = PRIV_WHY_STOPPED;
	priv_server_reply(h->server, call, &r);
}

static void host_signal(struct host *h, struct priv_call call, const struct priv_signal *m)
{
	struct priv_signal_reply r = {h->inspect == PRIV_BOX_RUNNING};

	h->signals++;
	h->signal = m->signal;
	memcpy(h->command, m->command, strlen(m->command) + 1);
	priv_server_reply(h->server, call, &r);
}

static void host_check(struct host *h, struct priv_call call, const struct priv_exec *m)
{
	struct priv_exec_reply r = {
		.outcome = PRIV_EXEC_DONE, .exit_status = h->check_status, .message = no_text};

	h->checks++;
	h->timeout_ms = m->timeout_ms;
	snprintf(h->checked, sizeof(h->checked), "%s", m->argv.v[m->argv.n - 1]);
	if (h->check_errs)
		worker_died(h, call);
	else if (!h->silent_check)
		priv_server_reply(h->server, call, &r);
}

static void host_exec(struct host *h, struct priv_call call, const struct priv_exec *m)
{
	static uint8_t text[] = "hello\n";
	struct priv_exec_reply r = {.outcome = PRIV_EXEC_DONE,
				    .exit_status = 3,
				    .out = {text, sizeof(text) - 1},
				    .message = no_text};

	h->execs++;
	memcpy(h->command, m->name, sizeof(h->command));
	h->input_n = m->input.n;
	h->first_input = m->input.n ? m->input.p[0] : 0;
	h->last_input = m->input.n ? m->input.p[m->input.n - 1] : 0;
	h->detach = m->detach;
	snprintf(h->exec_image, sizeof(h->exec_image), "%s", m->image);
	snprintf(h->exec_digest, sizeof(h->exec_digest), "%s", m->digest);
	h->timeout_ms = m->timeout_ms;
	if (!h->silent_exec)
		priv_server_reply(h->server, call, &r);
}

static void host_put(struct host *h, struct priv_call call, const struct priv_put *m)
{
	struct priv_put_reply r = {.outcome = h->copies, .message = no_text};

	h->input_n = m->archive.n;
	priv_server_reply(h->server, call, &r);
}

static void host_get(struct host *h, struct priv_call call)
{
	static uint8_t archive[] = "files";
	struct priv_get_reply r = {.outcome = h->copies, .message = no_text};

	if (h->copies == PRIV_COPY_DONE)
		r.archive = (struct wire_blob){archive, sizeof(archive) - 1};
	priv_server_reply(h->server, call, &r);
}

/* Two parcels: the second one is the last. */
static void host_save(struct host *h, struct priv_call call, const struct priv_save *m)
{
	static uint8_t parcel[] = "parcel";
	struct priv_save_reply r = {.outcome = h->copies, .message = no_text};

	if (h->copies == PRIV_COPY_DONE) {
		r.parcel = (struct wire_blob){parcel, sizeof(parcel) - 1};
		r.next = m->from + 100;
		r.left = m->from ? 0 : 100;
	}
	priv_server_reply(h->server, call, &r);
}

static void host_load(struct host *h, struct priv_call call, const struct priv_load *m)
{
	struct priv_load_reply r = {.outcome = h->copies, .message = no_text};

	h->input_n = m->parcel.n;
	priv_server_reply(h->server, call, &r);
}

static void host_snapshot(struct host *h, struct priv_call call, const struct priv_snapshot *m)
{
	static char names[] = "before 1700000000\n";
	struct priv_snapshot_reply r = {.outcome = h->copies,
					.names = m->action == PRIV_SNAPSHOT_LIST ? names : no_text,
					.message = no_text};

	h->snapshots++;
	priv_server_reply(h->server, call, &r);
}

static void host_stats(struct host *h, struct priv_call call, const struct priv_stats *m)
{
	struct priv_stats_item one = {.state = PRIV_BOX_RUNNING,
				      .at_ms = 1700000002000,
				      .started_ms = 1700000001000,
				      .use = {.cpu_us = 500000, .net_out = 7}};
	struct priv_stats_reply r = {.items = {&one, h->there}};

	memcpy(one.id, m->id, sizeof(one.id));
	priv_server_reply(h->server, call, &r);
}

static void host_asked(void *ctx, struct priv_call call, void *msg)
{
	struct host *h = ctx;
	struct priv_list_reply none = {.more = false};
	struct err e;

	switch (call.kind) {
	case PRIV_NODE:
		host_node(h, call);
		return;
	case PRIV_IMAGE:
		host_image(h, call, msg);
		return;
	case PRIV_BOX_START:
		host_start(h, call, msg);
		return;
	case PRIV_BOX_INSPECT:
		host_inspect(h, call);
		return;
	case PRIV_BOX_DEADLINE:
		host_deadline(h, call, msg);
		return;
	case PRIV_BOX_DESTROY:
		host_destroy(h, call);
		return;
	case PRIV_BOX_EXEC:
		if (((const struct priv_exec *)msg)->check)
			host_check(h, call, msg);
		else
			host_exec(h, call, msg);
		return;
	case PRIV_BOX_LIST:
		priv_server_reply(h->server, call, &none);
		return;
	case PRIV_BOX_STOP:
		host_stop(h, call, msg);
		return;
	case PRIV_BOX_SIGNAL:
		host_signal(h, call, msg);
		return;
	case PRIV_BOX_PUT:
		host_put(h, call, msg);
		return;
	case PRIV_BOX_GET:
		host_get(h, call);
		return;
	case PRIV_BOX_SAVE:
		host_save(h, call, msg);
		return;
	case PRIV_BOX_LOAD:
		host_load(h, call, msg);
		return;
	case PRIV_BOX_SNAPSHOT:
		host_snapshot(h, call, msg);
		return;
	case PRIV_BOX_PORTS:
		host_ports(h, call, msg);
		return;
	case PRIV_BOX_GROW:
		host_grow(h, call, msg);
		return;
	case PRIV_BOX_NET:
		host_net(h, call, msg);
		return;
	case PRIV_BOX_STATS:
		host_stats(h, call, msg);
		return;
	case PRIV_IMAGES:
		host_images(h, call);
		return;
	case PRIV_PING:
	case PRIV_IMAGE_DROP:
	case PRIV_BOX_LOGS:
	case PRIV_KIND_COUNT:
		err_set(&e, ERRK_STATE, "not in the script");
		priv_server_fail(h->server, call, &e);
		return;
	}
}

void host_open(struct host *h, struct loop *l, int fd)
{
	const struct priv_server_hooks hooks = {.request = host_asked, .ctx = h};
	struct err e;

	if (priv_server_new(&h->server, l, fd, &hooks, &e) < 0) {
		fprintf(stderr, "# %s\n", e.msg);
		abort();
	}
}

void host_close(struct host *h)
{
	priv_server_free(h->server);
	h->server = NULL;
}
