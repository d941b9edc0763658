/* Cleanup attributes and steal(): every constructor carries one, so an early return is right. */
#ifndef BASE_AUTO_H
#define BASE_AUTO_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* DEFINE_AUTO(type, fn): declares fn##_p, which calls fn on what its argument points to. */
#define DEFINE_AUTO(type, fn)                                                                      \
	static inline void fn##_p(type **p)                                                        \
	{                                                                                          \
		fn(*p);                                                                            \
	}

#define AUTO(fn) __attribute__((cleanup(fn##_p)))

static inline void auto_free_p(void *p)
{
	free(*(void **)p);
}

static inline void auto_close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_fclose_p(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void auto_closedir_p(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define auto_free     __attribute__((cleanup(auto_free_p)))
#define auto_close    __attribute__((cleanup(auto_close_p)))
#define auto_fclose   __attribute__((cleanup(auto_fclose_p)))
#define auto_closedir __attribute__((cleanup(auto_closedir_p)))

/* Hand on ownership: the value is returned and the variable emptied. */
#define steal(p)                                                                                   \
	({                                                                                         \
		__typeof__(p) steal_p_ = (p);                                                      \
		__typeof__(*steal_p_) steal_v_ = *steal_p_;                                        \
		*steal_p_ = NULL;                                                                  \
		steal_v_;                                                                          \
	})

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
