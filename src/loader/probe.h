/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: which hooks this kernel has (schema/sensor.def), and what of the host is missing.
 */
#ifndef PICKET_LOADER_PROBE_H
#define PICKET_LOADER_PROBE_H

#include "loader/loader.h"

enum sensor {
#define SENSOR(name, what) SENSOR_##name,
#define HOOK(sensor, program, attach, lost, change)
#include "schema/sensor.def"
	SENSOR_COUNT,
};

struct hook {
	enum sensor sensor;
	const char *program, *attach, *lost, *change;
};
extern const struct hook hooks[];
extern const size_t hook_count;

struct btf;
/* The first hook of a sensor that a kernel of these types has, or NULL. ret_error: why not the very first: -errno, or 0. */
const struct hook *sensor_hook(enum sensor s, const struct btf *kernel, int *ret_error);
struct loader_sensor_report sensor_report(enum sensor s, const struct hook *taken, int error); /* NULL: none */

#endif
