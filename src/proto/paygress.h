/*
 * The dialect of paygress 0.1.7 to 0.1.9 and its main branch: struct <-> text. Messages carry no
 * type, no request id and no version; they are told apart by their members. Kinds 38383 and 38384
 * are shared with strangers (NIP-69), so what is not theirs is an outcome, not an error.
 */
#ifndef PROTO_PAYGRESS_H
#define PROTO_PAYGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "nostr/event.h"
#include "spec/template.h"

#define PAYGRESS_TEXT_MAX    256
#define PAYGRESS_MESSAGE_MAX (128 * 1024)
#define PAYGRESS_SPECS_MAX   64
#define PAYGRESS_MINTS_MAX   16
#define PAYGRESS_LINES_MAX   32

enum paygress_kind {
	PAYGRESS_OFFER = 38383,
	PAYGRESS_HEARTBEAT = 38384,
	PAYGRESS_HEARTBEAT_LIVE = 20384, /* the same, ephemeral */
};

enum { PAYGRESS_FOREIGN = 1 }; /* not tagged as theirs, or not signed by the provider it names */

/* --- public events; the caller has verified them --- */

struct paygress_spec {
	char id[PAYGRESS_TEXT_MAX], name[PAYGRESS_TEXT_MAX], description[PAYGRESS_TEXT_MAX];
	uint64_t cpu_millicores, memory_mb;
	uint64_t rate_msats; /* a second */
};

struct paygress_offer {
	struct pubkey provider;
	int64_t created_at, expiration; /* expiration 0: none */
	char hostname[PAYGRESS_TEXT_MAX], location[PAYGRESS_TEXT_MAX];
	char isolation[PAYGRESS_TEXT_MAX]; /* "shared-kernel" where it is absent */
	struct paygress_spec specs[PAYGRESS_SPECS_MAX];
	size_t nspecs;
	char mints[PAYGRESS_MINTS_MAX][PAYGRESS_TEXT_MAX];
	size_t nmints;
	uint64_t jobs; /* completed, as they say */
};

struct paygress_offer *paygress_offer_new(void);
void paygress_offer_free(struct paygress_offer *o);
DEFINE_AUTO(struct paygress_offer, paygress_offer_free)
/* 0, PAYGRESS_FOREIGN or -1. */
int paygress_offer_read(struct paygress_offer **out, const struct nostr_event *ev,
			struct err *e) MUST_CHECK;
int paygress_offer_event(struct nostr_event **out, const struct paygress_offer *o,
			 const struct secret *key, struct err *e) MUST_CHECK;

struct paygress_heartbeat {
	struct pubkey provider;
	int64_t timestamp;
	uint64_t workloads, cpu_available, memory_mb, storage_gb;
};

int paygress_heartbeat_read(struct paygress_heartbeat *h, const struct nostr_event *ev,
			    struct err *e) MUST_CHECK;
/* `kind` is PAYGRESS_HEARTBEAT or PAYGRESS_HEARTBEAT_LIVE; the first expires after ten minutes. */
int paygress_heartbeat_event(struct nostr_event **out, const struct paygress_heartbeat *h,
			     enum paygress_kind kind, const struct secret *key,
			     struct err *e) MUST_CHECK;

/* --- requests --- */

enum paygress_ask { PAYGRESS_SPAWN = 1, PAYGRESS_TOPUP, PAYGRESS_STATUS };
enum paygress_replication { PAYGRESS_ALONE, PAYGRESS_CHECKPOINTED, PAYGRESS_STANDBY };
enum paygress_volume { PAYGRESS_VOLUME_UNSAID, PAYGRESS_VOLUME_KEY, PAYGRESS_VOLUME_BAD };

struct paygress_request {
	enum paygress_ask ask;
	char *token;		     /* spawn, top-up; wiped */
	char pod[PAYGRESS_TEXT_MAX]; /* top-up, status: as they write it, "container-1000" or "1000"
				      */
	/* spawn; empty where absent */
	char spec[PAYGRESS_TEXT_MAX], image[PAYGRESS_TEXT_MAX];
	char user[PAYGRESS_TEXT_MAX], password[PAYGRESS_TEXT_MAX];
	char template_slug[PAYGRESS_TEXT_MAX], workload[PAYGRESS_TEXT_MAX];
	enum paygress_replication replication;
	enum paygress_volume volume;
	struct secret volume_key;
};

/* The members decide: a token with a pod is a top-up whichever of the two names the pod has (their
 * 0.1.7 CLI writes pod_id, and its own provider takes that for a status request). */
int paygress_request_read(struct paygress_request **out, struct str text, struct err *e) MUST_CHECK;
void paygress_request_free(struct paygress_request *r);
DEFINE_AUTO(struct paygress_request, paygress_request_free)
void paygress_request_write(struct buf *out, const struct paygress_request *r);
/* "container-1000" or "1000" to 1000. */
int paygress_pod_number(struct str pod, uint64_t *out, struct err *e) MUST_CHECK;

/* --- replies --- */

enum paygress_answer {
	PAYGRESS_ACCESS = 1,
	PAYGRESS_TOPPED_UP,
	PAYGRESS_STATE,
	PAYGRESS_ERROR,
};

struct paygress_port {
	uint16_t host, container;
	char protocol[8], label[64];
};

struct paygress_reply {
	enum paygress_answer answer;
	char pod[PAYGRESS_TEXT_MAX];
	int64_t expires_at;
	uint64_t cpu_millicores, memory_mb;
	char host[PAYGRESS_TEXT_MAX]; /* access, state; empty: not said */
	uint16_t port;		      /* ssh; 0 for a stand-by */
	/* access */
	char spec_name[PAYGRESS_TEXT_MAX], spec_description[PAYGRESS_TEXT_MAX];
	char *lines[PAYGRESS_LINES_MAX]; /* instructions, owned */
	size_t nlines;
	struct paygress_port ports[PAYGRESS_LINES_MAX];
	size_t nports;
	/* top-up */
	bool success;
	uint64_t seconds; /* top-up: added; state: left */
	/* state */
	char state[32], user[64]; /* "Running", "Expired" */
	/* error: code and message; top-up: message */
	char code[64], message[PAYGRESS_TEXT_MAX];
};

struct paygress_reply *paygress_reply_new(enum paygress_answer a);
void paygress_reply_free(struct paygress_reply *r);
DEFINE_AUTO(struct paygress_reply, paygress_reply_free)
void paygress_reply_line(struct paygress_reply *r,
			 const char *line); /* beyond the maximum: dropped */
int paygress_reply_read(struct paygress_reply **out, struct str text, struct err *e) MUST_CHECK;
void paygress_reply_write(struct buf *out, const struct paygress_reply *r);

/* --- templates: their slugs, and what of an offer serves them; an offer event has no member that
 * would list them --- */

enum { PAYGRESS_PLAIN = 1, PAYGRESS_REFUSED };

/* What a spawn asks of an offer with these templates. 0: *out names the one that serves its slug,
 * with all ports in the template's order, where `ssh` is not 0 on the host's ports ssh + 1, ssh +
 * 2, …; the password is the value of the one secret that the template needs. PAYGRESS_PLAIN: it
 * asks for an image. PAYGRESS_REFUSED: *refusal is the answer. */
int paygress_spawn_template(struct spec *out, struct paygress_reply **refusal,
			    const struct paygress_request *r, const struct spec_template *templates,
			    size_t n, uint16_t ssh) MUST_CHECK;
/* Can a request of this dialect give all that the template needs? */
bool paygress_may_serve(const struct spec_template *t);
/* The published ports as the answer has them: in the template's order, under its labels. */
void paygress_reply_ports(struct paygress_reply *r, const struct spec_template *t,
			  const struct spec_ports *published);

/* --- carrying and derived values --- */

/* A signed kind-4 event with their tags; its plain text. */
int paygress_message(struct nostr_event **out, struct str text, int64_t now,
		     const struct secret *from, const struct pubkey *to, struct err *e) MUST_CHECK;
int paygress_message_open(struct buf *out, const struct nostr_event *ev, const struct secret *me,
			  struct err *e) MUST_CHECK;
/* SHA-256("paygress-volume-v1" 00 secret 00 workload). */
void paygress_volume_key(struct secret *out, const struct secret *key, struct str workload);
/* What a stake proof signs. */
void paygress_stake_digest(uint8_t out[static 32], struct str provider, struct str outpoint,
			   uint64_t locktime, uint64_t sats);

#endif
