/*
 * HTTP client on libcurl's multi interface, guest of the loop. Redirects off, protocols pinned,
 * body capped, no proxies from the environment; addresses that are private, link-local or loopback
 * are refused at the socket unless the request allows them. Only http.c and http_lib.c know curl.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"

struct http;

int http_new(struct http **out, struct loop *l, struct err *e) MUST_CHECK;
void http_free(struct http *h); /* cancels what is under way, without callbacks */
DEFINE_AUTO(struct http, http_free)

/* The first call loads libcurl, which takes some milliseconds and which a confined process cannot:
 * do it now, or in a thread for who will call in a moment. */
int http_load(struct http *h, struct err *e) MUST_CHECK;
void http_load_aside(struct http *h);

struct http_ask {
	const char *method; /* "GET", "POST" */
	const char *url;
	struct str body;    /* copied; sent as application/json */
	int64_t timeout_ms; /* whole transfer; 0: 30 s */
	size_t max;	    /* body cap; 0: 1 MiB */
	bool local;	    /* loopback and private addresses and plain http are allowed */
	const char *const
		*headers; /* NULL-ended "Name: value", may be NULL; without an Accept: JSON */
};

struct http_answer {
	int status;	     /* HTTP status; 0: no answer came (then `error` says why) */
	bool sent;	     /* the request may have reached the server */
	struct str body;     /* borrowed during the callback */
	int64_t retry_after; /* seconds, -1: header absent */
	int64_t date;	     /* Date header as seconds, 0: absent */
	const char *error;
};

typedef void http_fn(void *ctx, const struct http_answer *a);
struct http_call;
/* The callback runs once, never from inside this call. */
struct http_call *http_send(struct http *h, const struct http_ask *q, http_fn *fn, void *ctx);
void http_cancel(struct http_call *c); /* no callback afterwards; NULL is fine */

#endif
