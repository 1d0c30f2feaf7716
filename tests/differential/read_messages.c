/* Tells what proxy/h1 reads in the messages that come on stdin, one after the other: a byte for what it is ('q'
 * requests, 'g' responses to GET, 'h' responses to HEAD), the length in 4 bytes, least significant first, and the
 * bytes. For each the text of tests/corpus/conversation.h on stdout, and an empty line. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/corpus/conversation.h"

#define MESSAGE_BYTES_MAX (1 << 20)

static void tell(char kind, const char *bytes, size_t len)
{
    static struct conversation c;
    if (kind == 'q') {
        conversation_init_requests(&c);
    } else {
        conversation_init_responses(&c, kind == 'h' ? HTTP_METHOD_HEAD : HTTP_METHOD_GET);
    }
    conversation_feed(&c, bytes, len);
    puts(conversation_end(&c));
    conversation_fini(&c);
}

int main(void)
{
    unsigned char start[5];
    while (fread(start, 1, sizeof start, stdin) == sizeof start) {
        size_t len = start[1] | (size_t)start[2] << 8 | (size_t)start[3] << 16 | (size_t)start[4] << 24;
        char *bytes = len <= MESSAGE_BYTES_MAX ? malloc(len + 1) : NULL;
        if (bytes == NULL || fread(bytes, 1, len, stdin) != len) {
            fputs("a message is too long or cut\n", stderr);
            free(bytes);
            return 1;
        }
        tell((char)start[0], bytes, len);
        free(bytes);
    }
    return ferror(stdout) ? 1 : 0;
}
