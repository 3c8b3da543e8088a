/*
 * text.c - values as text that do not need the type tables: escaped bytes,
 * times, uuids; a or an; and the hash of names.
 *
 * What always holds: nothing depends on the locale or the time zone, and no
 * byte of an image reaches a terminal unescaped.
 */
#include <stdio.h>
#include <string.h>

#include "anvil.h"

/* ------------------------------------------------------------------- bytes */

static bool
plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7F && c != '\\';
}

/* What does not fit is left out whole: never half of an escape. */
size_t
hm_escape(char *dst, size_t size, const void *src, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *s = src;
	size_t need = 0, at = 0;
	bool fits = dst != NULL && size > 0;

	for (size_t i = 0; i < len; i++) {
		size_t n = plain(s[i]) ? 1 : 4;

		need += n;
		fits = fits && at + n < size;
		if (!fits)
			continue;
		if (n == 1) {
			dst[at++] = (char)s[i];
			continue;
		}
		dst[at++] = '\\';
		dst[at++] = 'x';
		dst[at++] = hex[s[i] >> 4];
		dst[at++] = hex[s[i] & 15];
	}
	if (dst != NULL && size > 0)
		dst[at] = '\0';
	return need;
}

const char *
hm_article(const char *name)
{
	return name[0] != '\0' && strchr("aeiou", name[0]) != NULL ? "an" : "a";
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A backslash that begins nothing known stands for itself. */
size_t
hm_unescape(uint8_t *dst, const char *src, size_t len)
{
	size_t at = 0, i = 0;

	while (i < len) {
		size_t left = len - i;

		if (src[i] == '\\' && left >= 4 && src[i + 1] == 'x' &&
		    hex_digit(src[i + 2]) >= 0 && hex_digit(src[i + 3]) >= 0) {
			dst[at++] = (uint8_t)(hex_digit(src[i + 2]) << 4 |
			    hex_digit(src[i + 3]));
			i += 4;
		} else if (src[i] == '\\' && left >= 2 && src[i + 1] == '\\') {
			dst[at++] = '\\';
			i += 2;
		} else {
			dst[at++] = (uint8_t)src[i++];
		}
	}
	return at;
}

/* ------------------------------------------------------------ times (O 8.1) */

/*
 * The civil date of a day since 1970-01-01.  Years begin in March here, so
 * that the leap day is the last; 719468 days lie between 0000-03-01 and 1970,
 * and 146097 make a cycle of 400 years.
 */
static void
civil(uint64_t day, unsigned *year, uint8_t *month, uint8_t *mday)
{
	uint64_t days = day + 719468;
	uint64_t era = days / 146097;
	unsigned doe = (unsigned)(days % 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned march = (5 * doy + 2) / 153;

	*mday = (uint8_t)(doy - (153 * march + 2) / 5 + 1);
	*month = (uint8_t)(march < 10 ? march + 3 : march - 9);
	*year = (unsigned)era * 400 + yoe + (*month <= 2 ? 1 : 0);
}

const char *
hm_time_text(uint64_t usec, char *buf)
{
	uint64_t sec = usec / 1000000;
	unsigned year, s = (unsigned)(sec % 86400);
	uint8_t month, mday;

	civil(sec / 86400, &year, &month, &mday);
	snprintf(buf, 40,
	    "%04u-%02u-%02u %02u:%02u:%02u.%06u UTC", year, month, mday,
	    s / 3600, s / 60 % 60, s % 60, (unsigned)(usec % 1000000));
	return buf;
}

/* ------------------------------------------------------------ uuids (O 8.3) */

const char *
hm_uuid_text(const hm_uuid *u, char *buf40)
{
	const uint8_t *b = u->b;

	/* The first three parts are little-endian numbers on the media. */
	snprintf(buf40, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x", b[3], b[2], b[1], b[0], b[5], b[4],
	    b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return buf40;
}

uint32_t
hm_uuid_id(const hm_uuid *u)
{
	uint32_t id;

	memcpy(&id, u->b + 12, sizeof(id));
	return id;
}

/* -------------------------------------------------------- name keys (O 7.4) */

static const uint64_t upper_one = UINT64_C(0x0000000100000000);

static int64_t
key_of_whole(uint32_t crc)
{
	uint64_t key = (uint64_t)(crc & 0x7FFFFFFF) << 32;

	return (int64_t)(key == 0 ? upper_one : key);
}

static bool
separates(uint8_t c)
{
	return c == '.' || c == '-' || c == '_' || c == '~';
}

/* The upper half sums the pieces between separators, so that names that sort
 * near each other lie near each other. */
static int64_t
key_of_pieces(uint32_t crc, const uint8_t *name, size_t len)
{
	uint32_t sum = 0;
	size_t beg = 0;
	uint64_t key;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && !separates(name[i]))
			continue;
		if (i > beg)
			sum += hm_crc(HM_CRC32, name + beg, i - beg);
		beg = i + 1;
	}
	key = (uint64_t)(sum & 0x7FFFFFFF) << 32 |
	    ((crc ^ crc << 16) & 0xFFFF0000);
	if (key >> 32 == 0)
		key |= upper_one;
	return (int64_t)key;
}

/* The reserved algorithms 2 and 3 count as 0: a kernel would panic, here a name
 * is at worst not found under its key. */
int64_t
hm_name_key(unsigned algorithm, const void *name, size_t len, uint64_t *span)
{
	uint32_t crc = hm_crc(HM_CRC32, name, len);
	bool pieces = algorithm == 1;

	if (span != NULL)
		*span = pieces ? 0x00FFFFFF : 0xFFFFFFFF;
	return pieces ? key_of_pieces(crc, name, len) : key_of_whole(crc);
}
