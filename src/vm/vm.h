/* SPDX-License-Identifier: Apache-2.0
 *
 * The room's public header is libpicket's own.
 */
#ifndef PICKET_VM_ROOM_H
#define PICKET_VM_ROOM_H

#include "picket/vm.h"

#endif
