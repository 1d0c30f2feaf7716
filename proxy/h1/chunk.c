#include "proxy/h1/chunk.h"

#include "proxy/h1/scan.h"

#define SIZE_DIGITS_MAX 16

/*  SIZE -> [BLANK ->] [EXTENSION <-> QUOTED <-> ESCAPED] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *                                                   \ (size 0) -> TRAILER -> [TRAILER_NAME -> TRAILER_VALUE ->
 *                                                      TRAILER_LF -> TRAILER ...] -> END_LF -> DONE */
enum chunk_state {
    CHUNK_SIZE = 0,
    CHUNK_BLANK, /* BWS, which an extension follows */
    CHUNK_EXTENSION,
    CHUNK_QUOTED,
    CHUNK_ESCAPED,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
    CHUNK_BAD
};

static enum h1_error take_size_digit(struct h1_chunk_decoder *decoder, char byte)
{
    unsigned digit = (unsigned)(unsigned char)byte - '0';
    if (digit > 9) {
        digit = ((unsigned)(unsigned char)byte | 0x20) - 'a' + 10;
        if (digit < 10 || digit > 15) {
            return H1_ERR_CHUNK_SIZE;
        }
    }
    if (++decoder->size_digits > SIZE_DIGITS_MAX) {
        return H1_ERR_CHUNK_SIZE;
    }
    if (decoder->left_bytes > INT64_MAX >> 4) {
        return H1_ERR_CHUNK_SIZE_TOO_LARGE;
    }
    decoder->left_bytes = decoder->left_bytes << 4 | digit;
    return H1_OK;
}

static enum h1_error count_extension_byte(struct h1_chunk_decoder *decoder)
{
    return ++decoder->extension_bytes > H1_CHUNK_EXTENSION_MAX ? H1_ERR_CHUNK_EXTENSION_TOO_LARGE : H1_OK;
}

static enum h1_error step_size(struct h1_chunk_decoder *decoder, char byte)
{
    if (byte == '\n') {
        return H1_ERR_BARE_LF;
    }
    bool is_blank = byte == ' ' || byte == '\t';
    if (byte != '\r' && byte != ';' && !is_blank) {
        return take_size_digit(decoder, byte);
    }
    if (decoder->size_digits == 0) {
        return H1_ERR_CHUNK_SIZE;
    }
    if (is_blank) {
        decoder->state = CHUNK_BLANK;
        return count_extension_byte(decoder);
    }
    if (byte == ';') {
        decoder->state = CHUNK_EXTENSION;
        return count_extension_byte(decoder);
    }
    decoder->state = CHUNK_SIZE_LF;
    return H1_OK;
}

/* RFC 9112 7.1.1 has blanks before an extension; at the end of the line they are what some read as part of the size. */
static enum h1_error step_blank(struct h1_chunk_decoder *decoder, char byte)
{
    if (byte == ';') {
        decoder->state = CHUNK_EXTENSION;
    } else if (byte != ' ' && byte != '\t') {
        return H1_ERR_CHUNK_SIZE;
    }
    return count_extension_byte(decoder);
}

/* A CR inside quotes is refused: whether it ends the line is what recipients disagree about. */
static enum h1_error step_extension(struct h1_chunk_decoder *decoder, char byte)
{
    if (byte == '\r' && decoder->state == CHUNK_EXTENSION) {
        decoder->state = CHUNK_SIZE_LF;
        return H1_OK;
    }
    if (!h1_char_is(byte, H1_CHAR_VALUE)) {
        return byte == '\n' ? H1_ERR_BARE_LF : H1_ERR_CHUNK_EXTENSION;
    }
    if (decoder->state == CHUNK_ESCAPED) {
        decoder->state = CHUNK_QUOTED;
    } else if (byte == '"') {
        decoder->state = decoder->state == CHUNK_QUOTED ? CHUNK_EXTENSION : CHUNK_QUOTED;
    } else if (byte == '\\' && decoder->state == CHUNK_QUOTED) {
        decoder->state = CHUNK_ESCAPED;
    }
    return count_extension_byte(decoder);
}

/* One byte that has to be there; otherwise `error`. */
static enum h1_error step_fixed(struct h1_chunk_decoder *decoder, char byte, char wanted, enum chunk_state next,
                                enum h1_error error)
{
    if (byte != wanted) {
        return error;
    }
    decoder->state = (uint8_t)next;
    return H1_OK;
}

static enum h1_error step_data_end(struct h1_chunk_decoder *decoder, char byte)
{
    if (decoder->state == CHUNK_DATA_CR) {
        return step_fixed(decoder, byte, '\r', CHUNK_DATA_LF, H1_ERR_CHUNK_END);
    }
    decoder->size_digits = 0;
    return step_fixed(decoder, byte, '\n', CHUNK_SIZE, H1_ERR_CHUNK_END);
}

static enum h1_error step_trailer_line(struct h1_chunk_decoder *decoder, char byte)
{
    if (decoder->state == CHUNK_TRAILER && byte == '\r') {
        decoder->state = CHUNK_END_LF;
        return H1_OK;
    }
    if (byte == '\n') {
        return H1_ERR_BARE_LF;
    }
    if (decoder->state == CHUNK_TRAILER_VALUE) {
        if (byte == '\r') {
            decoder->state = CHUNK_TRAILER_LF;
            return H1_OK;
        }
        return h1_char_is(byte, H1_CHAR_VALUE) ? H1_OK : H1_ERR_TRAILER;
    }
    if (h1_char_is(byte, H1_CHAR_TOKEN)) {
        decoder->state = CHUNK_TRAILER_NAME;
        return H1_OK;
    }
    return decoder->state == CHUNK_TRAILER_NAME ? step_fixed(decoder, byte, ':', CHUNK_TRAILER_VALUE, H1_ERR_TRAILER)
                                                : H1_ERR_TRAILER;
}

static enum h1_error step_trailer(struct h1_chunk_decoder *decoder, char byte)
{
    if (++decoder->trailer_bytes > H1_CHUNK_TRAILER_MAX) {
        return H1_ERR_TRAILER_TOO_LARGE;
    }
    switch ((enum chunk_state)decoder->state) {
    case CHUNK_TRAILER_LF:
        return step_fixed(decoder, byte, '\n', CHUNK_TRAILER, H1_ERR_BARE_CR);
    case CHUNK_END_LF:
        return step_fixed(decoder, byte, '\n', CHUNK_DONE, H1_ERR_BARE_CR);
    default:
        return step_trailer_line(decoder, byte);
    }
}

/* Any byte that is not data. */
static enum h1_error step(struct h1_chunk_decoder *decoder, char byte)
{
    switch ((enum chunk_state)decoder->state) {
    case CHUNK_SIZE:
        return step_size(decoder, byte);
    case CHUNK_BLANK:
        return step_blank(decoder, byte);
    case CHUNK_EXTENSION:
    case CHUNK_QUOTED:
    case CHUNK_ESCAPED:
        return step_extension(decoder, byte);
    case CHUNK_SIZE_LF:
        return step_fixed(decoder, byte, '\n', decoder->left_bytes > 0 ? CHUNK_DATA : CHUNK_TRAILER, H1_ERR_BARE_CR);
    case CHUNK_DATA_CR:
    case CHUNK_DATA_LF:
        return step_data_end(decoder, byte);
    default:
        return step_trailer(decoder, byte);
    }
}

static struct slice take_data(struct h1_chunk_decoder *decoder, const char *in, size_t len)
{
    size_t data_len = decoder->left_bytes < len ? (size_t)decoder->left_bytes : len;
    decoder->left_bytes -= data_len;
    if (decoder->left_bytes == 0) {
        decoder->state = CHUNK_DATA_CR;
    }
    return (struct slice){ in, data_len };
}

void h1_chunk_init(struct h1_chunk_decoder *decoder)
{
    *decoder = (struct h1_chunk_decoder){ .state = CHUNK_SIZE };
}

/* A byte of the trailer section's lines, as told by the states before and behind it. */
static bool is_of_trailer_line(uint8_t before, uint8_t behind)
{
    return before >= CHUNK_TRAILER && before <= CHUNK_TRAILER_LF && behind != CHUNK_END_LF;
}

enum h1_result h1_chunk_decode(struct h1_chunk_decoder *decoder, const char *in, size_t len, size_t *consumed,
                               struct slice *data, struct slice *trailer, enum h1_error *error)
{
    size_t at = 0, trailer_len = 0, trailer_end = 0;
    *data = (struct slice){ in, 0 };
    while (at < len && decoder->state < CHUNK_DONE) {
        if (decoder->state == CHUNK_DATA) {
            *data = take_data(decoder, in + at, len - at);
            at += data->len;
            break;
        }
        uint8_t before = decoder->state;
        enum h1_error wrong = step(decoder, in[at]);
        if (wrong != H1_OK) {
            decoder->error = (uint8_t)wrong;
            decoder->state = CHUNK_BAD;
            trailer_len = 0;
            break;
        }
        at++;
        if (is_of_trailer_line(before, decoder->state)) {
            trailer_len++;
            trailer_end = at;
        }
    }
    *consumed = at;
    decoder->taken_bytes += at;
    *trailer = (struct slice){ in + trailer_end - trailer_len, trailer_len };
    *error = (enum h1_error)decoder->error;
    return decoder->state == CHUNK_DONE ? H1_DONE : decoder->state == CHUNK_BAD ? H1_BAD : H1_MORE;
}
