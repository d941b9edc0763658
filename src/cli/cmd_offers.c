/* lease offers: what is for sale on the relays, the cheapest live one first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli/verbs.h"

static int by_price(const void *x, const void *y)
{
	const struct listing *a = x, *b = y;
	struct msat pa = MSAT(0), pb = MSAT(0);

	if (a->live != b->live)
		return a->live ? -1 : 1;
	if (!price_cost(&pa, a->offer.price, 3600) || !price_cost(&pb, b->offer.price, 3600))
		return 0;
	return msat_cmp(pa, pb);
}

static void print_images(const struct offer *o)
{
	for (size_t i = 0; i < o->nimages; i++) {
		char name[OFFER_TEXT_MAX];

		str_printable(name, sizeof(name), str_of(o->images[i].name));
		printf("%s%s", i ? "," : "", name);
	}
	putchar('\n');
}

static void print_listing(const struct listing *l)
{
	char key[13], price[32], memory[32], disk[32], volume[32], speed[32] = "-", gpu[32] = "-";

	out_key(key, &l->offer.provider);
	out_price(price, sizeof(price), l->offer.price);
	out_bytes(memory, sizeof(memory), l->offer.memory);
	out_bytes(disk, sizeof(disk), l->offer.disk);
	str_printable(volume, sizeof(volume), str_of(l->offer.volume));
	if (l->offer.disk_speed)
		snprintf(speed, sizeof(speed), "%" PRIu64 "MB/s", l->offer.disk_speed / 1000000);
	if (l->offer.gpus)
		snprintf(gpu, sizeof(gpu), "%" PRIu64 " %s", l->offer.gpus,
			 spec_vendor_name(l->offer.gpu_vendor));
	printf("%-12s  %-10s  %-4s  %-12s  %5" PRIu64 "m  %6s  %6s  %-10s  %8s  %-8s  ", key,
	       l->offer.name, l->live ? "live" : "-", price, l->offer.cpu_millicores, memory, disk,
	       volume, speed, gpu);
	print_images(&l->offer);
	if (!strcmp(l->offer.disk_class, "network"))
		printf("%-12s  its disk is on a network: not safe for SQLite\n", "");
}

int verb_offers(void *ctx, const void *options, int argc, char **argv)
{
	const struct offers_options *o = options;
	struct app *a = ctx;
	size_t shown = 0;
	auto_market struct market m = {0};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease offers takes no argument");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	if (m.n)
		qsort(m.v, m.n, sizeof(*m.v), by_price);
	if (!a->g.json)
		printf("%-12s  %-10s  %-4s  %-12s  %6s  %6s  %6s  %-10s  %8s  %-8s  %s\n",
		       "PROVIDER", "OFFER", "", "PRICE", "CPU", "MEMORY", "DISK", "VOLUME",
		       "WRITES", "GPU", "IMAGES");
	for (size_t i = 0; i < m.n; i++) {
		auto_buf struct buf text = BUF(1 << 20);

		if (o->gpu && !m.v[i].offer.gpus)
			continue;
		shown++;
		if (!a->g.json) {
			print_listing(&m.v[i]);
			continue;
		}
		out_offer_json(&text, &m.v[i]);
		out_line(&text);
	}
	if (shown)
		return 0;
	return app_failf(EXIT_NO_OFFER,
			 m.n ? "no offer has graphics cards" : "no offer was found on the relays");
}
