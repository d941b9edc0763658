/* The peer's template slugs: which of an offer's templates a spawn request gets, and what it is
 * told. */
#include "unit.h"

#include "proto/paygress.h"

#define SPAWN                                                                                      \
	"{\"cashu_token\":\"x\",\"pod_image\":\"ubuntu:22.04\",\"ssh_username\":\"u\","            \
	"\"ssh_password\":\"%s\",\"template_slug\":\"%s\"%s}"
#define PASSWORD "W9ZG2GIUOWiPkYID" /* as their program makes them */
#define SHIPPED	 5

static const char *const SLUGS[SHIPPED] = {"nostr-relay", "inference-endpoint", "headless-browser",
					   "bitcoin-node", "agent-sandbox"};

static struct paygress_request *spawn(const char *password, const char *slug, const char *more)
{
	auto_free char *text = mem_printf(SPAWN, password, slug, more);
	struct paygress_request *r = NULL;
	struct err e = {0};

	if (paygress_request_read(&r, str_of(text), &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return r;
}

static void load_shipped(struct spec_template t[static SHIPPED])
{
	const char *tests = getenv("TESTS_DIR");

	for (size_t i = 0; i < SHIPPED; i++) {
		auto_free char *path = mem_printf("%s/../contrib/templates/%s.json",
						  tests ? tests : "tests", SLUGS[i]);
		auto_buf struct buf text = BUF(SPEC_TEMPLATE_JSON_MAX);
		struct err e = {0};

		if (fs_read(&text, path, &e) ||
		    spec_template_decode(&t[i], str_of(SLUGS[i]), buf_view(&text), &e))
			fail_msg("%s: %s", path, e.msg);
	}
}

static void clear_shipped(struct spec_template t[static SHIPPED])
{
	for (size_t i = 0; i < SHIPPED; i++)
		spec_template_clear(&t[i]);
}

/* Every slug that their clients know gets the shipped template of that name, whole: what comes out
 * is a spec that the template takes. */
static void test_shipped(void **state)
{
	struct spec_template t[SHIPPED] = {0};

	load_shipped(t);
	for (size_t i = 0; i < SHIPPED; i++) {
		AUTO(paygress_request_free)
		struct paygress_request *r = spawn(PASSWORD, SLUGS[i], "");
		auto_spec struct spec s = {0};
		struct paygress_reply *no = NULL;
		struct err e = {0};

		assert_int_equal(paygress_spawn_template(&s, &no, r, t, SHIPPED, 31000), 0);
		assert_null(no);
		assert_null(s.image); /* theirs is ignored */
		assert_string_equal(s.template, SLUGS[i]);
		assert_int_equal(s.ports.n, t[i].spec.ports.n);
		for (size_t k = 0; k < s.ports.n; k++)
			assert_int_equal(s.ports.v[k].outside, 31001 + k);
		if (spec_template_use(&s, &t[i], &e))
			fail_msg("%s: %s", SLUGS[i], e.msg);
		assert_string_equal(s.image, t[i].spec.image);
	}
	clear_shipped(t);
}

static void check_refused(const struct spec_template *t, size_t n, struct paygress_request *r,
			  uint16_t ssh, const char *code, const char *says)
{
	AUTO(paygress_reply_free) struct paygress_reply *no = NULL, *back = NULL;
	auto_buf struct buf text = BUF(1 << 14);
	struct spec s = {0};

	assert_int_equal(paygress_spawn_template(&s, &no, r, t, n, ssh), PAYGRESS_REFUSED);
	assert_string_equal(s.template, "");
	assert_int_equal(s.ports.n, 0);
	assert_string_equal(no->code, code);
	if (!strstr(no->message, says))
		fail_msg("said %s", no->message);
	paygress_reply_write(&text, no);
	assert_int_equal(paygress_reply_read(&back, buf_view(&text), NULL), 0);
	assert_int_equal(back->answer, PAYGRESS_ERROR);
	assert_string_equal(back->message, no->message);
	paygress_request_free(r);
}

static void test_refused(void **state)
{
	struct spec_template t[SHIPPED] = {0};
	char password[65];

	load_shipped(t);
	check_refused(t, 4, spawn(PASSWORD, "openclaw", ""), 0, "unknown_template",
		      "no template openclaw; there is nostr-relay, inference-endpoint");
	check_refused(t, 1, spawn(PASSWORD, "bitcoin-node", ""), 0, "unknown_template",
		      "there is nostr-relay");
	check_refused(t, 1, spawn(PASSWORD, "../\\u001b[2J%n", ""), 0, "unknown_template",
		      "no template of that name; there is nostr-relay");
	check_refused(t, 1, spawn(PASSWORD, "Nostr-Relay", ""), 0, "unknown_template",
		      "of that name");
	check_refused(NULL, 0, spawn(PASSWORD, "nostr-relay", ""), 0, "template_unsupported", "");
	check_refused(&t[4], 1, spawn("short", "agent-sandbox", ""), 0, "invalid_request",
		      "ssh_password: it is the template's TOKEN: want 16 to 128 bytes");
	memset(password, 'a', 64);
	memcpy(password, "\\u0007", 6);
	password[64] = '\0';
	check_refused(&t[4], 1, spawn(password, "agent-sandbox", ""), 0, "invalid_request",
		      "TOKEN: want UTF-8 without control");
	check_refused(t, 1, spawn(PASSWORD, "nostr-relay", ",\"volume_encryption\":{}"), 0,
		      "invalid_volume_encryption", "want version 1");
	check_refused(t, 1, spawn(PASSWORD, "nostr-relay", ""), 65535, "spec_unavailable", "ports");
	clear_shipped(t);
}

/* A key for a volume that there is not is of no matter, as with them. */
static void test_others(void **state)
{
	AUTO(paygress_request_free) struct paygress_request *plain = spawn(PASSWORD, "", "");
	AUTO(paygress_request_free)
	struct paygress_request *sealed =
		spawn(PASSWORD, "headless-browser", ",\"volume_encryption\":{}");
	struct spec_template t[SHIPPED] = {0};
	auto_spec struct spec s = {0};
	struct paygress_reply *no = NULL;

	load_shipped(t);
	assert_int_equal(paygress_spawn_template(&s, &no, plain, t, SHIPPED, 0), PAYGRESS_PLAIN);
	assert_string_equal(s.template, "");
	assert_int_equal(paygress_spawn_template(&s, &no, sealed, t, SHIPPED, 0), 0);
	assert_int_equal(s.ports.v[0].outside, 0); /* wherever there is room */
	assert_null(no);
	clear_shipped(t);
}

static const char OWN[] =
	"{\"description\":\"x\",\"slugs\":[\"openclaw\",\"headless-browser\"],\"spec\":{\"image\":"
	"\"oci:b\",\"ports\":[{\"inside\":3000},{\"inside\":53,\"protocol\":\"udp\"},{\"inside\":"
	"9222}"
	"]},\"variables\":{\"A\":{\"required\":true,\"secret\":true},\"B\":{}%s},\"ports\":{\"9222/"
	"tcp\":\"cdp\",\"3000/tcp\":\"%s\"}}";

static void own(struct spec_template *t, const char *more, const char *label)
{
	char text[2048];
	struct err e = {0};

	snprintf(text, sizeof(text), OWN, more, label);
	if (spec_template_decode(t, STR("mine"), str_of(text), &e))
		fail_msg("%s", e.msg);
}

/* What a request of theirs cannot say makes a template one that they cannot have. */
static void test_own(void **state)
{
	AUTO(paygress_request_free)
	struct paygress_request *r = spawn(PASSWORD, "openclaw", "");
	auto_spec_template struct spec_template t = {0}, asks = {0}, two = {0};
	auto_spec struct spec s = {0};
	struct paygress_reply *no = NULL;

	own(&t, "", "http");
	own(&asks, ",\"C\":{\"required\":true}", "http");
	own(&two, ",\"C\":{\"required\":true,\"secret\":true}", "http");
	assert_int_equal(paygress_spawn_template(&s, &no, r, &t, 1, 0), 0);
	assert_string_equal(s.template, "mine");
	assert_string_equal(spec_map_get(&s.env, STR("A")), PASSWORD);
	assert_int_equal(s.env.n, 1);
	check_refused(&t, 1, spawn(PASSWORD, "mine", ""), 0, "unknown_template",
		      "there is openclaw, headless-browser");
	check_refused(&asks, 1, spawn(PASSWORD, "openclaw", ""), 0, "template_unsupported", "");
	check_refused(&two, 1, spawn(PASSWORD, "openclaw", ""), 0, "template_unsupported", "");
}

/* The published ports come in whatever order; the answer has the template's. */
static void test_ports(void **state)
{
	struct spec_port published[] = {{.inside = 9222, .outside = 20007},
					{.inside = 3000, .outside = 20001},
					{.inside = 53, .outside = 20002, .protocol = SPEC_UDP}};
	const struct spec_ports all = {.v = published, .n = 3}, some = {.v = published, .n = 1};
	AUTO(paygress_reply_free) struct paygress_reply *r = paygress_reply_new(PAYGRESS_ACCESS);
	AUTO(paygress_reply_free) struct paygress_reply *one = paygress_reply_new(PAYGRESS_ACCESS);
	auto_spec_template struct spec_template t = {0};
	auto_buf struct buf text = BUF(1 << 14);
	AUTO(paygress_reply_free) struct paygress_reply *back = NULL;

	own(&t, "", "a label of which the sixty-fourth byte is within a character..äö");
	paygress_reply_ports(r, &t, &all);
	assert_int_equal(r->nports, 3);
	assert_int_equal(r->ports[0].container, 3000);
	assert_int_equal(r->ports[0].host, 20001);
	assert_string_equal(r->ports[0].protocol, "tcp");
	assert_string_equal(r->ports[0].label,
			    "a label of which the sixty-fourth byte is within a character..");
	assert_int_equal(r->ports[1].container, 53);
	assert_string_equal(r->ports[1].protocol, "udp");
	assert_string_equal(r->ports[1].label, "");
	assert_int_equal(r->ports[2].host, 20007);
	assert_string_equal(r->ports[2].label, "cdp");
	paygress_reply_ports(one, &t, &some);
	assert_int_equal(one->nports, 1);
	paygress_reply_write(&text, r);
	assert_int_equal(paygress_reply_read(&back, buf_view(&text), NULL), 0);
	assert_int_equal(back->nports, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_others),	cmocka_unit_test(test_own),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests_name("paygress templates", tests, NULL, NULL);
}
