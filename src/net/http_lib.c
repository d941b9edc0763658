#include "net/http_lib.h"

#include <signal.h>

#include "base/auto.h"
#include "base/lib.h"

#define LIBRARY "libcurl.so.4"

static int load(struct http_lib *l, struct err *e)
{
	const struct lib_function functions[] = {
#define X(name) {#name, &l->name},
		HTTP_LIB_FUNCTIONS(X)
#undef X
	};
	void *stays;

	if (lib_open(&stays, LIBRARY, functions, ARRAY_SIZE(functions), e) < 0)
		return -1;
	if (!(l->curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS))
		return err_set(e, ERRK_STATE,
			       "libcurl resolves names on the caller's thread: "
			       "it needs AsynchDNS");
	return 0;
}

static void *run_aside(void *ctx)
{
	struct http_lib *l = ctx;

	l->rc = load(l, NULL); /* a failure is told when it is tried again */
	return NULL;
}

void http_lib_load_aside(struct http_lib *l)
{
	sigset_t all, old;

	if (l->loaded || l->aside)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	l->aside = pthread_create(&l->thread, NULL, run_aside, l) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void http_lib_settle(struct http_lib *l)
{
	if (!l->aside)
		return;
	pthread_join(l->thread, NULL);
	l->aside = false;
	l->loaded = l->rc == 0;
}

int http_lib_load(struct http_lib *l, struct err *e)
{
	http_lib_settle(l);
	if (!l->loaded && load(l, e) < 0)
		return -1;
	l->loaded = true;
	return 0;
}
