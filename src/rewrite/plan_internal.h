/* What plans are made of and the cache needs, too.  Internal to src/rewrite. */
#ifndef MV_REWRITE_PLAN_INTERNAL_H
#define MV_REWRITE_PLAN_INTERNAL_H

#include "rewrite/image.h"
#include "rewrite/plan.h"

/* mv_plan_make() for an image that is open. */
int mv_plan_of_image(const struct mv_image *im, struct mv_plan *plan, struct mv_error *err);
/* Make *plan empty but for what says which file it is of. */
void mv_plan_identify(const struct mv_image *im, struct mv_plan *plan);
/* Make a site MV_SITE_NONE; why, bytes and nbytes are left to the caller. */
void mv_site_clear(struct mv_site *site);

#endif
