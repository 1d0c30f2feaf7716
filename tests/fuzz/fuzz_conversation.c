/* Any bytes as a script (tests/unit/proxy/exchange/conversation_script.h) of what clients and endpoints say and do to one worker.
 * It comes to rest after each step, and then all that is open waits for something that will end; in the end nothing is
 * left: no connection, buffer, deadline, descriptor or count. Endpoints have got well-formed requests of one framing,
 * each made by the proxy, clients well-formed responses, or the beginnings of such; nobody has got another's bytes. */
#include "tests/unit/proxy/exchange/conversation_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct script_limits limits = { .step_count = 48, .single_bytes = 64, .limited_calls = 256 };
    script_run(data, size, &limits, NULL);
    return 0;
}
