/* turn_lock: a lock that is had in the order in which it was asked for, so that who writes batch after batch keeps nobody
 * else waiting for longer than one of them. Any thread; embedded in its owner. */
#ifndef CONTROLLER_STORE_TURN_LOCK_H
#define CONTROLLER_STORE_TURN_LOCK_H

#include <pthread.h>
#include <stdint.h>

struct turn_lock {
    pthread_mutex_t mutex; /* of the two numbers; held for an instant */
    pthread_cond_t next_one;
    uint64_t taken, given_back;
};

void turn_lock_init(struct turn_lock *lock);
void turn_lock_fini(struct turn_lock *lock);
void turn_lock_take(struct turn_lock *lock);
void turn_lock_give_back(struct turn_lock *lock);

#endif
