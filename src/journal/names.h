/* The journal's words, for log lines and labels. */
#ifndef JOURNAL_NAMES_H
#define JOURNAL_NAMES_H

#include "journal/journal.h"

enum { EVENT_DOORS = 3 };
extern const struct sv event_door_names[EVENT_DOORS];
extern const struct sv outcome_names[OUTCOME_COUNT];

#endif
