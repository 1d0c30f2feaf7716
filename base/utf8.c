#include "base/utf8.h"

size_t utf8_sequence(const char *at, size_t left, uint32_t *value)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char first = (unsigned char)at[0];
    size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    *value = len == 1 ? first : first & (0xffu >> (len + 1));
    if (len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 0;
        *value = *value << 6 | ((unsigned char)at[i] & 0x3f);
    }
    return *value < least[len] || *value > 0x10ffff || (*value >= 0xd800 && *value <= 0xdfff) ? 0 : len;
}
