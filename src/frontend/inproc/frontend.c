/*
 * The in-process front-end: the ptrace front-end's loop and processes, with the engine inside of the variants.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "inproc.h"
#include "needs.h"

static int first(struct pt_task *t, struct mv_error *err)
{
	uint64_t set = mv_run_root(t->pt->run, t->id);

	if (!set)
		return mv_error_set(err, 0, "%s", mv_run_verdict(t->pt->run)->text);
	if (!in_task_new(t, set))
		return mv_error_set(err, ENOMEM, "cannot start variant %u", t->variant);
	in_ticks_measure(t->pt->inproc);
	if (in_room(t, err))
		return -1;
	if (!in_boot(t))
		return t->pt->err ? -1 : mv_error_set(err, 0, "cannot lay out variant %u", t->variant);
	in_ahead_wait(t->pt);
	return 0;
}

static const struct pt_mode engine_inside = {
	.engine_inside = true, .filter = in_filter, .first = first, .on_seccomp = in_on_seccomp, .on_exit = in_on_exit,
	.on_clone = in_on_clone, .on_exec = in_on_exec, .on_signal = in_on_signal, .on_stop = in_on_stop, .on_gone = in_on_gone,
	.on_ended = in_on_ended,
	.retry = in_retry, .tick = in_tick, .progress = in_progress, .absent = in_absent,
	.standing = in_standing, .history = in_history, .look = in_look,
	.set = in_set, .in_program = in_in_program, .spin = in_spin, .set_free = in_set_free, .stands = in_stands,
	.is_quiet = in_is_quiet, .rests = in_rests, .meets = in_meets,
	.files = in_files, .call_at = in_call_at, .again = in_again,
	.proc_copy = in_proc_copy,
};

static int run(struct mv_session *session, struct mv_error *err)
{
	struct inproc *in = calloc(1, sizeof(*in));
	struct pt pt = { .mode = &engine_inside, .inproc = in, .session = session, .run = session->run,
			 .nvariants = session->options->variants, .err = err };
	int r;

	if (!in)
		return mv_error_set(err, ENOMEM, "cannot start");
	pt_affinity_start(&pt);
	r = pt_choose_secret(&pt);
	if (r) {
		free(in);
		return r;
	}
	in_ahead_start(&pt);
	in_ticks_start(in);
	in->keys = session->options->no_keys ? 0 : in_key_offset();
	for (unsigned v = 0; v < pt.nvariants; v++)
		mv_run_layout(session->run, v, &in->layouts[v]);
	r = in_images_load(&pt, err);
	if (!r)
		r = pt_run(&pt);
	in_ahead_end(&pt);
	in_texts_free(&pt);
	in_plans_free(&pt);
	in_reader_free(in);
	free(in);
	return r;
}

static int lacks(const struct mv_run_options *options, struct mv_error *err)
{
	int r = in_needs_code(err);

	return r ? r : in_needs_room(options->arena_size, err);
}

const struct mv_frontend mv_frontend_inproc = { .name = "inproc", .lacks = lacks, .run = run };
