/* The one list of failures. A function that can fail returns int: 0, or one
 * of these (negative); its results leave through *_out parameters. A verdict
 * about a request is never a failure. HTTP knows nothing of this list: edge
 * and admin translate. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_LIST(X)                                             \
    X(NOMEM, "out of memory")                                   \
    X(AGAIN, "not now, try again")                              \
    X(INVALID, "malformed or not allowed")                      \
    X(NOTFOUND, "not found")                                    \
    X(EXISTS, "exists already")                                 \
    X(CONFLICT, "in conflict with the present state")           \
    X(LIMIT, "a limit was reached")                             \
    X(FULL, "no space left")                                    \
    X(IO, "input or output failed")                             \
    X(CLOSED, "closed by the other side")                       \
    X(TIMEOUT, "timed out")                                     \
    X(REFUSED, "refused")                                       \
    X(DENIED, "not permitted")                                  \
    X(RESOLVE, "name could not be resolved")                    \
    X(TLS, "TLS failed")                                        \
    X(PROTOCOL, "the peer broke the protocol")                  \
    X(CORRUPT, "stored data is damaged")                        \
    X(VERSION, "written by another version")                    \
    X(CRYPTO, "a cryptographic operation failed")               \
    X(SHUTDOWN, "shutting down")                                \
    X(TOOBIG, "larger than allowed")                            \
    X(UNSURE, "the outcome is unknown")

enum err {
    ERR_OK_ = 0,
#define X(name, text) ERR_POS_##name,
    ERR_LIST(X)
#undef X
    ERR_COUNT_
};

enum {
#define X(name, text) ERR_##name = -ERR_POS_##name,
    ERR_LIST(X)
#undef X
};

/* A short English sentence without final stop; "ok" for 0. */
const char *err_text(int err);
/* Nearest code for an errno value. */
int err_from_errno(int errno_value);

#endif
