#include "controller/store/turn_lock.h"

#include "base/check.h"

void turn_lock_init(struct turn_lock *lock)
{
    *lock = (struct turn_lock){ .taken = 0 };
    check(pthread_mutex_init(&lock->mutex, NULL) == 0);
    check(pthread_cond_init(&lock->next_one, NULL) == 0);
}

void turn_lock_fini(struct turn_lock *lock)
{
    check(lock->taken == lock->given_back);
    pthread_cond_destroy(&lock->next_one);
    pthread_mutex_destroy(&lock->mutex);
}

void turn_lock_take(struct turn_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
    uint64_t turn = lock->taken++;
    while (lock->given_back != turn)
        pthread_cond_wait(&lock->next_one, &lock->mutex);
    pthread_mutex_unlock(&lock->mutex);
}

void turn_lock_give_back(struct turn_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
    lock->given_back++;
    pthread_cond_broadcast(&lock->next_one);
    pthread_mutex_unlock(&lock->mutex);
}
