#include <stdio.h>
#include <string.h>
#include "base/error.h"

int mv_error_set(struct mv_error *err, int code, const char *format, ...)
{
	va_list ap;
	int n;

	if (!err)
		return code ? -code : -1;
	err->code = code;
	err->status = 0;
	va_start(ap, format);
	n = vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if (code && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", strerrordesc_np(code));
	return code ? -code : -1;
}
