/* The program's own log: one JSON object a line on standard error. For
 * operators, about the program; never about single requests (that is the
 * access log's job). Thread-safe, one write(2) a line, rate-limited by the
 * caller where outsiders can cause lines. Never give it a secret. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level least);
void log_line(enum log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_info(area, ...) log_line(LOG_INFO, area, __VA_ARGS__)
#define log_warn(area, ...) log_line(LOG_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_line(LOG_ERROR, area, __VA_ARGS__)
#define log_debug(area, ...) log_line(LOG_DEBUG, area, __VA_ARGS__)

#endif
