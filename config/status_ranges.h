/* status_ranges: which HTTP statuses pass, as text: "200-399", "200,204,300-399". Pure; any thread. */
#ifndef CONFIG_STATUS_RANGES_H
#define CONFIG_STATUS_RANGES_H

#include <stdbool.h>

#define STATUS_RANGES_BYTES_MAX 63

/* Statuses from 100 to 599 and ranges of them, lower one first, with commas between and without spaces. */
bool status_ranges_is_valid(const char *ranges);
/* False for every status when the text is not valid. */
bool status_ranges_match(const char *ranges, int status);

#endif
