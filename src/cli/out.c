/* What verbs print: see out.h. */
#include "cli/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "spec/guard.h"
#include "spec/powers.h"

void out_price(char *dst, size_t size, struct price p)
{
	struct msat hour;

	if (price_cost(&hour, p, 3600) && msat_raw(hour) % 1000 == 0)
		snprintf(dst, size, "%" PRIu64 " sat/h", msat_raw(hour) / 1000);
	else
		snprintf(dst, size, "%" PRIu64 " msat/%" PRIu64 "s", p.msat, p.per);
}

void out_bytes(char *dst, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti"};
	size_t u = 0;

	while (u + 1 < ARRAY_SIZE(units) && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	snprintf(dst, size, "%" PRIu64 "%s", bytes, units[u]);
}

void out_left(char *dst, size_t size, int64_t s)
{
	if (s <= 0)
		snprintf(dst, size, "-");
	else if (s < 60)
		snprintf(dst, size, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(dst, size, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else
		snprintf(dst, size, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
}

void out_key(char dst[static 13], const struct pubkey *k)
{
	hex_encode(dst, k->b, 6);
}

void out_text(struct str s)
{
	auto_free char *shown = NULL;

	if (!isatty(STDOUT_FILENO)) {
		fwrite(s.p, 1, s.n, stdout);
		return;
	}
	shown = mem_zero(s.n + 1);
	str_printable(shown, s.n + 1, s);
	fputs(shown, stdout);
}

void out_line(const struct buf *b)
{
	out_text(buf_view(b));
	putchar('\n');
}

static int out_refund(void *ctx, const struct book_refund *r)
{
	static const char *const words[] = {
		[BOOK_REFUND_DUE] = "due",
		[BOOK_REFUND_HERE] = "made",
		[BOOK_REFUND_TAKEN] = "taken",
		[BOOK_REFUND_ELSEWHERE] = "elsewhere",
	};
	struct jsonw *w = ctx;

	jsonw_object(w, NULL);
	jsonw_u64(w, "number", r->number);
	jsonw_text(w, "state", words[r->state]);
	jsonw_u64(w, "sat", sat_raw(r->amount));
	jsonw_end_object(w);
	return 0;
}

bool out_next_port(struct str *rest, struct spec_port *p)
{
	struct str word;

	return str_cut(rest, ' ', &word) && word.n > 0 && spec_port_parse(p, word, NULL) == 0;
}

void out_ports(const struct book_entry *b)
{
	struct str rest = str_of(b->ports);
	struct spec_port p;

	while (out_next_port(&rest, &p)) {
		auto_buf struct buf inside = BUF(32);

		spec_port_print(&inside, &p);
		printf("%s -> %s:%u\n", inside.p, b->address, p.outside);
		if (*b->address6)
			printf("%s -> [%s]:%u\n", inside.p, b->address6, p.inside);
	}
}

static void entry_network(struct jsonw *w, const struct book_entry *b)
{
	struct str rest = str_of(b->ports);
	struct spec_ports ports = {0};
	struct spec_port p;

	while (out_next_port(&rest, &p))
		spec_ports_add(&ports, &p);
	spec_ports_write(w, "ports", &ports);
	free(ports.v);
	jsonw_text(w, "address", b->address);
	jsonw_text(w, "address6", b->address6);
	if (b->state == BOOK_RUNNING && b->cut)
		jsonw_text(w, "network", "cut");
}

void out_entry_json(struct buf *out, struct db *d, const struct book_entry *b)
{
	struct err e;

	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "name", b->name);
	jsonw_text(&w, "state",
		   b->state != BOOK_RUNNING || !b->halted ? book_state_name(b->state)
		   : b->locked				  ? "needs its key"
							  : "stopped");
	jsonw_text(&w, "lease", b->lease);
	jsonw_hex(&w, "provider", b->provider.b, sizeof(b->provider.b));
	jsonw_text(&w, "offer", b->offer);
	if (b->volume)
		jsonw_u64(&w, "volume_bytes", b->volume);
	jsonw_text(&w, "image", b->image);
	jsonw_text(&w, "image_digest", b->image_digest);
	jsonw_text(&w, "mint", b->mint);
	jsonw_u64(&w, "paid_msat", msat_raw(b->paid));
	jsonw_u64(&w, "refund_due_msat", msat_raw(b->refund_due));
	jsonw_i64(&w, "created_at", b->created_at);
	jsonw_i64(&w, "started_at", b->started_at);
	jsonw_i64(&w, "expires_at", b->expires_at);
	jsonw_i64(&w, "ended_at", b->ended_at);
	if (b->exit_status >= 0)
		jsonw_i64(&w, "exit_status", b->exit_status);
	if (b->restarts)
		jsonw_u64(&w, "restarts", b->restarts);
	if (b->state == BOOK_RUNNING)
		jsonw_text(&w, "health", b->health);
	jsonw_text(&w, "why", b->why);
	entry_network(&w, b);
	jsonw_array(&w, "refunds");
	if (book_each_refund(d, b->name, out_refund, &w, &e) < 0)
		log_warn("refunds of %s: %s", b->name, e.msg);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
}

static void offer_grants(struct jsonw *w, const struct offer *o)
{
	struct str line, rest = str_of(o->granted);

	jsonw_text(w, "gpu_vendor", o->gpus ? spec_vendor_name(o->gpu_vendor) : NULL);
	jsonw_u64(w, "gpus", o->gpus);
	jsonw_u64(w, "gpus_max", o->gpus_max);
	jsonw_array(w, "capabilities");
	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (o->caps >> i & 1)
			jsonw_text(w, NULL, spec_cap_name(i) + strlen("CAP_"));
	jsonw_end_array(w);
	jsonw_array(w, "granted");
	while (str_cut(&rest, '\n', &line))
		if (line.n)
			jsonw_str(w, NULL, line);
	jsonw_end_array(w);
}

void out_offer_json(struct buf *out, const struct listing *l)
{
	const struct offer *o = &l->offer;
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_hex(&w, "provider", o->provider.b, sizeof(o->provider.b));
	jsonw_text(&w, "offer", o->name);
	jsonw_hex(&w, "event", o->id, sizeof(o->id));
	jsonw_bool(&w, "live", l->live);
	jsonw_text(&w, "description", o->description);
	jsonw_u64(&w, "cpu_millicores", o->cpu_millicores);
	jsonw_u64(&w, "memory", o->memory);
	jsonw_u64(&w, "disk", o->disk);
	if (o->disk_max)
		jsonw_u64(&w, "disk_max", o->disk_max);
	jsonw_u64(&w, "pids", o->pids);
	if (o->bandwidth.in)
		jsonw_u64(&w, "bandwidth_in", o->bandwidth.in);
	if (o->bandwidth.out)
		jsonw_u64(&w, "bandwidth_out", o->bandwidth.out);
	jsonw_u64(&w, "price_msat", o->price.msat);
	jsonw_u64(&w, "price_per", o->price.per);
	if (o->volume_price.per) {
		jsonw_u64(&w, "volume_price_msat", o->volume_price.msat);
		jsonw_u64(&w, "volume_price_per", o->volume_price.per);
		jsonw_u64(&w, "volume_max", o->volume_max);
	}
	jsonw_u64(&w, "min_payment", sat_raw(o->min_payment));
	jsonw_i64(&w, "max_lease", o->max_lease);
	jsonw_text(&w, "isolation", o->isolation);
	if (*o->backend)
		jsonw_text(&w, "backend", o->backend);
	jsonw_text(&w, "runtime", o->runtime);
	jsonw_bool(&w, "runtime_old", o->runtime_old);
	jsonw_text(&w, "volume", o->volume);
	jsonw_text(&w, "header", o->header);
	jsonw_text(&w, "disk_class", o->disk_class);
	if (o->disk_speed)
		jsonw_u64(&w, "disk_speed", o->disk_speed);
	jsonw_text(&w, "network", o->network);
	jsonw_bool(&w, "ipv6", o->ipv6);
	jsonw_u64(&w, "ports", o->ports);
	jsonw_text(&w, "cgroup", o->cgroup);
	jsonw_array(&w, "guards");
	for (unsigned g = 0; g < SPEC_GUARD_COUNT; g++)
		if (o->guards & spec_guard_bit((enum spec_guard)g))
			jsonw_text(&w, NULL, spec_guard_word((enum spec_guard)g));
	jsonw_end_array(&w);
	offer_grants(&w, o);
	jsonw_u64(&w, "beat_seq", l->beat.seq);
	jsonw_i64(&w, "beat_at", l->beat.created_at);
	jsonw_u64(&w, "leases", l->beat.leases);
	jsonw_u64(&w, "load_percent", l->beat.load_percent);
	offer_write_lists(&w, o);
	jsonw_end_object(&w);
}

static int say_ending(void *ctx, const struct book_entry *b)
{
	int64_t now = clock_wall(), at = reply_warn_at(b->started_at, b->expires_at);
	char left[32];

	if (b->state != BOOK_RUNNING || !at || at > now || b->expires_at <= now)
		return 0;
	out_left(left, sizeof(left), b->expires_at - now);
	app_say(ctx, "%s ends in %s, and then %s is erased; to keep it: lease %s %s", b->name, left,
		b->volume ? "the volume" : "all that it has", b->volume ? "volume extend" : "topup",
		b->name);
	return 0;
}

int out_endings(struct app *a, struct err *e)
{
	return book_each(a->db, say_ending, a, e);
}
