/* SPDX-License-Identifier: Apache-2.0 */
#include "core/content_status.h"

#include <errno.h>
#include <stdio.h>

#include <cjson/cJSON.h>

static void cjson_freep(cJSON **json)
{
	cJSON_Delete(*json);
}

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsString(item) ? item->valuestring : "";
}

static uint64_t number_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsNumber(item) && item->valuedouble > 0 ? (uint64_t)MIN(item->valuedouble, 9e15) : 0;
}

static void read_step(const cJSON *item, struct content_status *s)
{
	enum staging_step step;
	const char *verdict = text_of(item, "verdict");
	if (!staging_step_parse(str_from(text_of(item, "step")), &step))
		return;
	s->steps[step].passed = strcmp(verdict, "passed") == 0;
	s->steps[step].refused = strcmp(verdict, "refused") == 0;
	snprintf(s->steps[step].reason, sizeof(s->steps[step].reason), "%s", text_of(item, "reason"));
}

static void read_staging(const cJSON *staging, struct content_status *s)
{
	const cJSON *item;
	s->staged = true;
	s->version = number_of(staging, "version");
	s->soak_s = number_of(staging, "soak_s");
	s->soaked_s = number_of(staging, "soaked_s");
	s->after_probation = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(staging, "after_probation"));
	snprintf(s->name, sizeof(s->name), "%s", text_of(staging, "name"));
	snprintf(s->outcome, sizeof(s->outcome), "%s", text_of(staging, "outcome"));
	(void)staging_step_parse(str_from(text_of(staging, "step")), &s->step);
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(staging, "steps"))
		read_step(item, s);
}

int content_status_parse(struct str json, struct content_status *ret_status)
{
	_cleanup_(cjson_freep) cJSON *root = cJSON_ParseWithLength(json.data, json.length);
	const cJSON *content = cJSON_GetObjectItemCaseSensitive(root, "content");
	const cJSON *staging = cJSON_GetObjectItemCaseSensitive(content, "staging");
	struct content_status s = {.version = 0};
	if (!cJSON_IsObject(root))
		return -EBADMSG;
	if (!cJSON_IsObject(content))
		return -ENOENT;
	snprintf(s.state, sizeof(s.state), "%s", text_of(content, "state"));
	s.off = strcmp(text_of(content, "rung"), "off") == 0;
	if (cJSON_IsObject(staging))
		read_staging(staging, &s);
	*ret_status = s;
	return 0;
}
