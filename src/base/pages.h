/* Memory of large tables that are looked into at random. A look-up waits for
 * the page's address before it waits for the line, in a virtual machine twice:
 * where the kernel gives huge pages (2 MiB), a table has few addresses.
 * All of it but the taking is advice: without huge pages nothing else differs.
 * None of it is in a core dump. */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

enum { PAGES_HUGE = 2 << 20 };

/* Address space that is cleared, and taken page by page as it is touched; of
 * PAGES_HUGE and more at a multiple of it. NULL: there is none. */
void *pages_alloc(size_t n);
/* The same that nobody may touch before mprotect: it is charged to nobody where
 * memory is not overcommitted. */
void *pages_reserve(size_t n);
void pages_free(void *p, size_t n); /* NULL: nothing */
/* It will be in full use soon: huge pages from the first touch. */
void pages_expect(void *p, size_t n);
/* It is in full use by now: what was touched becomes huge pages. Milliseconds;
 * whoever touches it meanwhile waits for his page. */
void pages_join(void *p, size_t n);

#endif
