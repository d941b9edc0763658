/*
 * libcurl, loaded where it is used. It brings some thirty libraries, which take longer to load than
 * most commands of a buyer run; most of these ask no mint.
 */
#ifndef NET_HTTP_LIB_H
#define NET_HTTP_LIB_H

#define CURL_DISABLE_TYPECHECK /* its macros are not for pointers to functions */
#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

/* The functions that are needed, as the library's headers declare them. */
#define HTTP_LIB_FUNCTIONS(X)                                                                      \
	X(curl_easy_cleanup)                                                                       \
	X(curl_easy_getinfo)                                                                       \
	X(curl_easy_header)                                                                        \
	X(curl_easy_init)                                                                          \
	X(curl_easy_setopt)                                                                        \
	X(curl_easy_strerror)                                                                      \
	X(curl_getdate)                                                                            \
	X(curl_multi_add_handle)                                                                   \
	X(curl_multi_assign)                                                                       \
	X(curl_multi_cleanup)                                                                      \
	X(curl_multi_info_read)                                                                    \
	X(curl_multi_init)                                                                         \
	X(curl_multi_remove_handle)                                                                \
	X(curl_multi_setopt)                                                                       \
	X(curl_multi_socket_action)                                                                \
	X(curl_slist_append)                                                                       \
	X(curl_slist_free_all)                                                                     \
	X(curl_version_info)

struct http_lib {
	bool loaded;
	bool aside; /* `thread` loads it, and owns the rest meanwhile */
	pthread_t thread;
	int rc; /* of the thread */
#define X(name) __typeof__(name) *name;
	HTTP_LIB_FUNCTIONS(X)
#undef X
};

/* After 0 the functions may be called. Waits for a thread that is at it. */
int http_lib_load(struct http_lib *l, struct err *e) MUST_CHECK;
void http_lib_load_aside(struct http_lib *l);
/* No thread is at it any more. The library stays. */
void http_lib_settle(struct http_lib *l);

#endif
