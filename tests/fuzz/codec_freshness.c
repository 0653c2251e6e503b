/* Cache-Control, Expires, Age as an origin may write them. */
#include <stdlib.h>

#include "base/err.h"
#include "codec/freshness.h"
#include "codec/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char line[] = "HTTP/1.1 200 OK\r\n";
    static const struct http1_limits limits = { 16384, 8192, 64 };
    char text[4096];
    struct http_head head;
    struct http1_refusal why;
    size_t searched = 0;
    int64_t ms;
    if (http_date_decode(sv_of(data, size), &ms) == 0) {
        char again[29];
        http_date(again, ms);
        /* the day's name may have been another, and second 60 is the next
         * minute's first */
        if (memcmp(again + 4, data + 4, 20) && data[23] != '6') abort();
    }
    if (size > sizeof text - sizeof line - 2) return 0;
    memcpy(text, line, sizeof line - 1);
    if (size) memcpy(text + sizeof line - 1, data, size);
    memcpy(text + sizeof line - 1 + size, "\r\n", 2);
    if (http1_response_scan(sv_of(text, sizeof line + 1 + size), &searched,
                            &limits, HTTP_GET, &head, &why) > 0)
        freshness_s(&head);
    return 0;
}
