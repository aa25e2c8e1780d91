/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The rows of schema/event.def as a table: which member comes from which register, and how it is read.
 */
#ifndef PICKET_BPF_GENERIC_H
#define PICKET_BPF_GENERIC_H

#include "record.h"

#define REGISTER_CWD 254 /* a path relative to the working directory */
#define REGISTER_RET 255 /* the call's result */
#define REGISTER_0 0
#define REGISTER_1 1
#define REGISTER_2 2
#define REGISTER_3 3
#define REGISTER_4 4
#define REGISTER_5 5

enum generic_read { READ_S32 = 1, READ_U32, READ_64, READ_TEXT, READ_BYTES, READ_PATH };

struct generic_arg {
	__u8 read;   /* enum generic_read; 0: end */
	__u8 source; /* register */
	__u8 aux;    /* PATH: register of the dirfd or REGISTER_CWD; BYTES: register of the size */
	__u8 pad;
	__u32 offset; /* of the member in the record */
};

enum fd_use { FDUSE_NO, FDUSE_USES, FDUSE_CREATES, FDUSE_DESTROYS };

struct generic_event {
	__u32 size; /* of the record without its tail; 0: no such event */
	__u8 fd_use, fd_register;
	__u16 pad;
	struct generic_arg args[EVENT_ARGS_MAX];
};

/* How each type of argument is read, and whether its aux is a register. */
#define READ_OF_ERRNO READ_64
#define READ_OF_FD READ_S32
#define READ_OF_PID READ_S32
#define READ_OF_UID READ_U32
#define READ_OF_GID READ_U32
#define READ_OF_S32 READ_S32
#define READ_OF_U32 READ_U32
#define READ_OF_S64 READ_64
#define READ_OF_U64 READ_64
#define READ_OF_HEX READ_64
#define READ_OF_HEX32 READ_U32
#define READ_OF_OCT READ_U32
#define READ_OF_MODE READ_U32
#define READ_OF_FLAGS READ_U32
#define READ_OF_ENUM READ_S32
#define READ_OF_SIG READ_S32
#define READ_OF_STR READ_TEXT
#define READ_OF_BYTES READ_BYTES
#define READ_OF_SOCKADDR READ_BYTES
#define READ_OF_PATH READ_PATH
#define AUX_ERRNO(aux) 0
#define AUX_FD(aux) 0
#define AUX_PID(aux) 0
#define AUX_UID(aux) 0
#define AUX_GID(aux) 0
#define AUX_S32(aux) 0
#define AUX_U32(aux) 0
#define AUX_S64(aux) 0
#define AUX_U64(aux) 0
#define AUX_HEX(aux) 0
#define AUX_HEX32(aux) 0
#define AUX_OCT(aux) 0
#define AUX_MODE(aux) 0
#define AUX_FLAGS(aux) 0
#define AUX_ENUM(aux) 0
#define AUX_SIG(aux) 0
#define AUX_STR(aux) 0
#define AUX_BYTES(aux) REGISTER_##aux
#define AUX_SOCKADDR(aux) REGISTER_##aux
#define AUX_PATH(aux) REGISTER_##aux

#define SOURCE_FILL(event, name, type, aux)
#define SOURCE_ROW(n, event, name, type, aux) {READ_OF_##type, n, AUX_##type(aux), 0, MEMBER(event, name)},
#define SOURCE_0(event, name, type, aux) SOURCE_ROW(0, event, name, type, aux)
#define SOURCE_1(event, name, type, aux) SOURCE_ROW(1, event, name, type, aux)
#define SOURCE_2(event, name, type, aux) SOURCE_ROW(2, event, name, type, aux)
#define SOURCE_3(event, name, type, aux) SOURCE_ROW(3, event, name, type, aux)
#define SOURCE_4(event, name, type, aux) SOURCE_ROW(4, event, name, type, aux)
#define SOURCE_5(event, name, type, aux) SOURCE_ROW(5, event, name, type, aux)

static const volatile struct generic_event generic_events[EVENT_TYPES] = {
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) \
	[id] = {FIXED_SIZE(name), FDUSE_##fduse, REGISTER_##fdarg, 0, {
#define ARG(event, name, type, aux, source, doc) SOURCE_##source(event, name, type, aux)
#define OWN(event, name, type, aux, source, doc) SOURCE_##source(event, name, type, aux)
#define END(event) \
	} \
	} \
	,
#include "schema/event.def"
};

#endif
