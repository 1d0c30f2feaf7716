/* limits: how many there can be of what an installation has, in one place, and how the numbers follow from each other.
 * docs/threat-model.md lists what happens at each and where it is seen. Limits of one connection, message or call are
 * settings, or stand beside what they limit.
 *
 *   rows of counters, in the memory that proxy and control share   LIMIT_SERVICE_ROWS, LIMIT_ENDPOINT_ROWS
 *     services with a route, as the data plane is told             LIMIT_SERVICES_SERVED: rows, less those that are leaving
 *       those of the configuration                                 LIMIT_SERVICES_CONFIGURED
 *     tasks                                                        LIMIT_TASKS_OWN + LIMIT_TASKS_OF_OTHERS: half the rows
 *       those that one service may want                            LIMIT_TASKS_OWN */
#ifndef CONFIG_LIMITS_H
#define CONFIG_LIMITS_H

#define LIMIT_SERVICE_ROWS 2048
/* Twice the tasks: while all of them are replaced at once, those that leave have theirs beside those that come. */
#define LIMIT_ENDPOINT_ROWS 16384

/* A service that is gone keeps its row until the last request of it has ended, and so does an endpoint; but so many rows are left
 * free for those that come: for these, what has left first makes room (proxy/snapshot/kept_rows.h). */
#define LIMIT_SERVICE_ROWS_LEFT_FREE 74
#define LIMIT_ENDPOINT_ROWS_LEFT_FREE 2048
#define LIMIT_SERVICES_LEAVING 148
#define LIMIT_SERVICES_SERVED 1900
#define LIMIT_SERVICES_CONFIGURED 1000

/* Created by us. Also what desiredCount, min and max may say, in the configuration and by the API. */
#define LIMIT_TASKS_OWN 4096
/* Containers of others and lines of the endpoints file, together. */
#define LIMIT_TASKS_OF_OTHERS 4096

/* Routes that tasks ask for: one each, on average. */
#define LIMIT_ROUTES_CLAIMED 4096

/* Of the number as the schema has it: LIMIT_TEXT(LIMIT_TASKS_OWN) is "4096". */
#define LIMIT_TEXT(limit) LIMIT_TEXT_OF(limit)
#define LIMIT_TEXT_OF(number) #number

_Static_assert(LIMIT_SERVICES_SERVED + LIMIT_SERVICES_LEAVING == LIMIT_SERVICE_ROWS, "each has a row");
_Static_assert(LIMIT_SERVICES_CONFIGURED < LIMIT_SERVICES_SERVED, "labels find room beside the configuration");
_Static_assert(LIMIT_SERVICE_ROWS_LEFT_FREE < LIMIT_SERVICES_LEAVING, "those that leave have some too");
_Static_assert(2 * (LIMIT_TASKS_OWN + LIMIT_TASKS_OF_OTHERS) == LIMIT_ENDPOINT_ROWS,
               "each has a row, and who takes its place");
_Static_assert(LIMIT_TASKS_OWN + LIMIT_TASKS_OF_OTHERS + LIMIT_ENDPOINT_ROWS_LEFT_FREE < LIMIT_ENDPOINT_ROWS,
               "likewise");
_Static_assert(LIMIT_ROUTES_CLAIMED >= LIMIT_TASKS_OF_OTHERS, "each may ask for one");

#endif
