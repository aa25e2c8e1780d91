/* SPDX-License-Identifier: Apache-2.0
 *
 * FEATURE(id, text): what accepted programs are counted by. HAPPENING(id, text): what happened in their runs.
 */
#ifndef FEATURE
#define FEATURE(...)
#endif
#ifndef HAPPENING
#define HAPPENING(...)
#endif

FEATURE(LOOKUP, "map look-ups")
FEATURE(CALL, "functions")
FEATURE(CALLBACK, "callbacks")
FEATURE(CALL_REGISTER, "calls by registers")
FEATURE(TAIL_CALL, "tail calls")
FEATURE(KFUNC, "functions of the kernel")
FEATURE(OBJECT, "typed objects")
FEATURE(REFERENCE, "references")
FEATURE(SECTION, "RCU and preemption sections")
FEATURE(ITERATOR, "iterators")
FEATURE(DYNPTR, "dynptrs")
FEATURE(RECORD, "ring buffer records")
FEATURE(SOCKET, "sockets")
FEATURE(LOCK, "locks")

HAPPENING(TAIL_CALL, "tail calls taken")
HAPPENING(TAIL_CALL_FAILED, "tail calls that failed")
HAPPENING(TAIL_CALL_RETURNED, "of those taken, returned to a caller")
HAPPENING(CALL_REGISTER, "calls by registers")
HAPPENING(KFUNC, "calls of functions of the kernel")
HAPPENING(OBJECT_READ, "reads of typed objects")
HAPPENING(OBJECT_FOLLOWED, "pointers in them followed")
HAPPENING(OBJECT_GIVEN, "objects handed to the kernel")
HAPPENING(ACQUIRED, "references acquired")
HAPPENING(SECTION, "sections entered")
HAPPENING(ITERATED, "iterators' turns")
HAPPENING(DYNPTR, "dynptrs made")
HAPPENING(LOCKED, "locks taken")
HAPPENING(CAUGHT, "runs ended by a fault that the kernel catches")

#undef FEATURE
#undef HAPPENING
