/* Allocation that never fails: out of memory aborts. Sizes that a stranger chose are capped before.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_zero(size_t n);			/* n zeroed bytes */
void *mem_array(size_t n, size_t size);		/* n * size zeroed bytes, overflow aborts */
void *mem_grow(void *p, size_t n, size_t size); /* realloc to n * size, overflow aborts */
void *mem_dup(const void *p, size_t n);
char *mem_strdup(const char *s); /* NULL stays NULL */
char *mem_strndup(const char *s, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
