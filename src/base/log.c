#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include "base/log.h"

static FILE *log_out;
static unsigned log_domains = MV_LOG_NOTICE;

static const struct {
	const char *name;
	unsigned bit;
} names[] = {
	{ "notice", MV_LOG_NOTICE }, { "calls", MV_LOG_CALLS }, { "process", MV_LOG_PROCESS },
	{ "signal", MV_LOG_SIGNAL }, { "boot", MV_LOG_BOOT }, { "stall", MV_LOG_STALL },
	{ "rules", MV_LOG_RULES },
	{ "all", MV_LOG_ALL },
};

void mv_log_setup(FILE *out, unsigned domains)
{
	log_out = out;
	log_domains = domains;
}

int mv_log_on(unsigned domain)
{
	return log_out && (log_domains & domain) != 0;
}

void mv_log(unsigned domain, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (!mv_log_on(domain))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* One line each, whatever the text: an embedded newline must not look like a message of its own. */
	for (char *p = line; *p; p++)
		if (*p == '\n')
			*p = ' ';
	fprintf(log_out, "mvarmor: %s\n", line);
	fflush(log_out);
}

int mv_log_parse(const char *list, unsigned *domains, const char **bad)
{
	unsigned set = MV_LOG_NOTICE;

	for (;;) {
		size_t len = strcspn(list, ",");
		bool found = false;

		if (len == 4 && memcmp(list, "none", 4) == 0) {
			set = 0;
			found = true;
		}
		for (size_t i = 0; !found && i < sizeof(names) / sizeof(names[0]); i++)
			if (strlen(names[i].name) == len && memcmp(list, names[i].name, len) == 0) {
				set |= names[i].bit;
				found = true;
			}
		if (!found) {
			*bad = list;
			return -1;
		}
		if (!list[len])
			break;
		list += len + 1;
	}
	*domains = set;
	return 0;
}
