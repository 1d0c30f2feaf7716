#include "proxy/snapshot/snapshot.h"

#include "base/check.h"

void snapshot_pin(struct snapshot_hold *hold)
{
    hold->pins++;
}

bool snapshot_unpin(struct snapshot_hold *hold)
{
    check(hold->pins > 0);
    return --hold->pins == 0 && hold->superseded;
}
