/* Opens N TLS connections to 127.0.0.1, asks for / on each in turn, reads the
 * answer's head and body, and sleeps until it is killed.
 *   idle_tls PORT N      prints "ready N" (connections that were answered)
 * No certificate is verified: the server is ours, on loopback. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char ask[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/* The answer is small: its end is what Content-Length says. */
static int answered(SSL *s)
{
    static char b[65536];
    size_t got = 0;
    for (;;) {
        int n = SSL_read(s, b + got, (int)(sizeof b - 1 - got));
        if (n <= 0) return 0;
        got += (size_t)n;
        b[got] = 0;
        const char *end = strstr(b, "\r\n\r\n");
        const char *length = strcasestr(b, "content-length:");
        if (!end || !length) continue;
        if (b + got >= end + 4 + atoi(length + 15)) return 1;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    int n = atoi(argv[2]), ok = 0;
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(argv[1])) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    for (int i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (void *)&to, sizeof to)) break;
        SSL *s = SSL_new(ctx);
        SSL_set_fd(s, fd);
        if (SSL_connect(s) != 1 ||
            SSL_write(s, ask, (int)strlen(ask)) != (int)strlen(ask) ||
            !answered(s))
            break;
        ok++;
    }
    printf("ready %d\n", ok);
    fflush(stdout);
    pause();
    return 0;
}
