/* A plan as JSON. */
#include "config.h"

#include "cli/outline.h"

#include "cli/json_out.h"
#include "cli/losses.h"

static json_t *end_json(const char *type, const char *format)
{
	json_t *json = json_object();

	cli_json_set(json, "type", cli_json_text(type));
	cli_json_set(json, "format", cli_json_text(format));
	return json;
}

static json_t *steps_json(const struct ferry_plan *p)
{
	json_t *list = json_array(), *row;

	for (size_t i = 0; i < ferry_plan_n_steps(p); i++) {
		const struct ferry_step *s = ferry_plan_step(p, i);

		row = json_object();
		cli_json_set(row, "what", cli_json_text(s->what));
		cli_json_set(row, "name", cli_json_text(s->name));
		cli_json_set(row, "detail", cli_json_text(s->detail));
		cli_json_add(list, row);
	}
	return list;
}

static json_t *losses_json(const struct ferry_job *job,
			   const struct ferry_plan *p)
{
	json_t *list = json_array(), *row;
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(ferry_plan_findings(p), i));
	     i++) {
		if (!cli_is_loss(f))
			continue;
		row = json_object();
		cli_json_set(row, "kind", cli_json_text(f->code));
		cli_json_set(row, "path", cli_json_text(f->path));
		cli_json_set(row, "text", cli_json_text(f->text));
		cli_json_set(row, "allowed",
			     json_boolean(!cli_is_refused(job, f)));
		cli_json_add(list, row);
	}
	return list;
}

static json_t *notes_json(const struct ferry_plan *p)
{
	json_t *list = json_array(), *row;
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(ferry_plan_findings(p), i));
	     i++) {
		if (cli_is_loss(f))
			continue;
		row = json_object();
		cli_json_set(row, "code", cli_json_text(f->code));
		cli_json_set(row, "path", cli_json_text(f->path));
		cli_json_set(row, "text", cli_json_text(f->text));
		cli_json_add(list, row);
	}
	return list;
}

json_t *cli_json_plan(const struct ferry_job *job, const struct ferry_plan *p)
{
	const struct ferry_recognised *in = ferry_plan_input_type(p);
	json_t *json = json_object(), *inputs = json_array(), *from;

	for (size_t i = 0; i < job->n_inputs; i++)
		cli_json_add(inputs, cli_json_text(job->inputs[i]));
	from = end_json(in && in->type ? in->type->name : NULL,
			ferry_plan_input_format(p));
	if (in && in->type)
		cli_json_set(from, "reason", cli_json_text(in->reason));
	cli_json_set(json, "inputs", inputs);
	cli_json_set(json, "output", cli_json_text(job->output));
	cli_json_set(json, "from", from);
	cli_json_set(json, "to", end_json(ferry_plan_output_type(p),
					  ferry_plan_output_format(p)));
	cli_json_set(json, "steps", steps_json(p));
	cli_json_set(json, "bytes_in", cli_json_uint(ferry_plan_bytes_in(p)));
	cli_json_set(json, "bytes_out",
		     cli_json_uint(ferry_plan_bytes_out(p)));
	cli_json_set(json, "losses", losses_json(job, p));
	cli_json_set(json, "refused", cli_json_uint(ferry_plan_refused(p)));
	cli_json_set(json, "notes", notes_json(p));
	cli_json_set(json, "warnings",
		     cli_json_findings(ferry_plan_warnings(p), FERRY_NOTE));
	return json;
}
