/* house_faults: faults that can be planted in the real code, one at a time, to see that the walks find them. The linker puts
 * them between the files of Portico (ld --wrap); without one planted, they hand every call on as it is. */
#ifndef TESTS_SIM_HOUSE_HOUSE_FAULTS_H
#define TESTS_SIM_HOUSE_HOUSE_FAULTS_H

#define HOUSE_FAULTS(X)                                                               \
    X(NONE, "none")                                                                   \
    X(ACK_COUNTS_FOR_LATER, "an acknowledgement counts for the frames behind it too") \
    X(IN_FLIGHT_IS_ZERO, "control reads that nothing is in flight")                   \
    X(DRAINING_STAYS, "a task that drains stays in rotation")                         \
    X(RETRY_STAYS_COUNTED, "a try that failed stays counted as in flight")            \
    X(BUFFERS_LEAK, "one buffer of some hundred is not given back")                   \
    X(SNAPSHOTS_LEAK, "a worker does not give superseded snapshots back")             \
    X(ROWS_ARE_NOT_KEPT, "a worker does not say that a row is still in use")          \
    X(DESIRED_IS_FORGOTTEN, "what was asked for is not in the store")                 \
    X(EMPTY_LOSES_ROUTE, "a service without tasks has no route")                      \
    X(ALL_ARE_IDEMPOTENT, "a request that must not be repeated is")                   \
    X(NO_RESPONSE_DEADLINE, "nobody ends the wait for an answer")                     \
    X(SERIALS_BEGIN_AGAIN, "a new control counts its frames from the beginning")      \
    X(REUSED_TOO_EARLY, "a connection is used again before its answer has ended")     \
    X(TUNNELS_ARE_REQUESTS, "control takes tunnels for requests")                     \
    X(OLD_CLIENTS_ARE_NEW, "a client of HTTP/1.0 is taken for one of 1.1")            \
    X(NO_FLOOR, "a task goes before the one that replaces it is healthy")             \
    X(SURGE_OF_TWO, "two tasks more than desired are created")                        \
    X(ROTATION_IS_A_GUESS, "control takes every task for out of rotation")

#define HOUSE_FAULT_NAME(name, text) HOUSE_FAULT_##name,
enum house_fault { HOUSE_FAULTS(HOUSE_FAULT_NAME) HOUSE_FAULT_COUNT };
#undef HOUSE_FAULT_NAME

void house_plant(enum house_fault fault);
const char *house_fault_to_str(enum house_fault fault);

#endif
