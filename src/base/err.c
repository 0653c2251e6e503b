/* Names for the one list of failures. */
#include "base/err.h"

#include <errno.h>

const char *err_text(int err)
{
    static const char *const text[ERR_COUNT_] = { [0] = "ok",
#define X(name, t) [ERR_POS_##name] = t,
                                                  ERR_LIST(X)
#undef X
    };
    return err <= 0 && -err < ERR_COUNT_ ? text[-err] : "unknown failure";
}

int err_from_errno(int e)
{
    switch (e) {
    case 0: return 0;
    case EAGAIN:
    case EINTR: return ERR_AGAIN;
    case ENOMEM: return ERR_NOMEM;
    case ENOENT: return ERR_NOTFOUND;
    case EEXIST:
    case EADDRINUSE: return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT: return ERR_FULL;
    case EMFILE:
    case ENFILE: return ERR_LIMIT;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EINVAL: return ERR_INVALID;
    case ECONNREFUSED: return ERR_REFUSED;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET: return ERR_CLOSED;
    default: return ERR_IO;
    }
}
