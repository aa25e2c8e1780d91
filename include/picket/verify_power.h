/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program could do to the host. Included by who needs a row's columns: POWER(id, name, severity, doc); what gives
 * a program each of them is in src/verify/power.def. Severity: how much harm it can do to whoever is not to be watched
 * or disturbed: LOW, MEDIUM, HIGH, CRITICAL (PICKET_SEVERITY_...).
 *
 * Names stand in signed lists: they are never changed, and never mean something else later.
 */

/* ---- watch ---- */
POWER(OBSERVE_PROCESSES, "observe-processes", LOW, "sees processes begin, end and change")
POWER(OBSERVE_FILES, "observe-files", LOW, "sees which files are used")
POWER(OBSERVE_NETWORK, "observe-network", LOW, "sees connections and traffic, not what is in it")
POWER(OBSERVE_SYSCALLS, "observe-syscalls", MEDIUM, "sees system calls with their arguments")
POWER(OBSERVE_KERNEL, "observe-kernel", LOW, "sees events of the kernel, or calls of its functions")
POWER(OBSERVE_PROGRAMS, "observe-programs", MEDIUM, "sees calls of functions in programs, with their arguments")
POWER(OBSERVE_CPU, "observe-cpu", LOW, "samples what runs: stacks, counters, branches")
POWER(LIST_OBJECTS, "list-kernel-objects", LOW, "lists tasks, files, sockets, maps ...")

/* ---- read ---- */
POWER(READ_PACKETS, "read-packets", MEDIUM, "reads what is in packets or messages")
POWER(READ_OBJECTS, "read-kernel-objects", MEDIUM, "reads the kernel's objects, by their types")
POWER(READ_KERNEL, "read-kernel-memory", HIGH, "reads the kernel's memory, at any address")
POWER(READ_USER, "read-user-memory", HIGH, "reads the memory of processes")
POWER(READ_FILES, "read-file-attributes", MEDIUM, "reads extended attributes or hashes of files")
POWER(FIND_SYMBOLS, "find-kernel-addresses", MEDIUM, "learns where the kernel's symbols lie")

/* ---- change what processes do and see ---- */
POWER(WRITE_USER, "write-user-memory", CRITICAL, "writes to the memory of processes")
POWER(KILL, "kill", CRITICAL, "sends signals to processes")
POWER(DENY, "deny", HIGH, "refuses what processes ask for")
POWER(CHANGE_RESULTS, "change-results", CRITICAL, "changes what the kernel returns to callers")
POWER(CHANGE_SYSCTL, "change-sysctl", HIGH, "changes what is written to the kernel's settings")
POWER(CHANGE_EXEC, "change-exec", HIGH, "changes how programs are started")
POWER(CHANGE_FILES, "change-file-attributes", HIGH, "changes extended attributes of files")
POWER(INJECT_KEYS, "inject-keys", HIGH, "makes key presses and pointer movements")

/* ---- change the network ---- */
POWER(DROP_PACKETS, "drop-packets", HIGH, "drops packets")
POWER(REDIRECT_PACKETS, "redirect-packets", HIGH, "sends packets elsewhere")
POWER(MODIFY_PACKETS, "modify-packets", HIGH, "changes packets")
POWER(MARK_PACKETS, "mark-packets", MEDIUM, "changes what the kernel notes about packets: mark, priority, class ...")
POWER(SEND_PACKETS, "send-packets", HIGH, "sends packets of its own, or copies")
POWER(REDIRECT_SOCKETS, "redirect-connections", HIGH, "changes where connections lead, or which socket gets them")
POWER(SET_SOCKETS, "set-socket-options", MEDIUM, "changes options of sockets")
POWER(CLOSE_SOCKETS, "close-sockets", HIGH, "closes connections")
POWER(DISSECT, "classify-flows", MEDIUM, "tells the kernel which flow a packet belongs to")

/* ---- change the kernel ---- */
POWER(WRITE_KERNEL, "write-kernel-state", CRITICAL, "writes to the kernel's objects")
POWER(REPLACE_FUNCTIONS, "replace-kernel-functions", CRITICAL,
      "does the work of functions of the kernel in their place")
POWER(REPLACE_PROGRAM, "replace-program", HIGH, "replaces a function of another eBPF program")
POWER(LOAD_PROGRAMS, "load-programs", CRITICAL, "calls bpf(2): loads and attaches other eBPF programs")
POWER(RUN_PROGRAMS, "run-other-programs", MEDIUM,
      "goes on in programs that user space chooses; what these can is not listed")
POWER(HOLD_OBJECTS, "hold-kernel-objects", LOW, "keeps references to the kernel's objects")
POWER(ATTACH_DATA, "attach-data", LOW, "keeps data with tasks, files, sockets or control groups")

/* ---- cost ---- */
POWER(SLEEP, "sleep", LOW, "may wait, and so delay whom it interrupts")
POWER(LONG_WORK, "long-work", MEDIUM, "may run long for one event")
POWER(RUN_LATER, "run-later", LOW, "runs by timers or work queues, too, without an event")
POWER(HOLD_CPU, "hold-cpu", MEDIUM, "keeps a CPU from doing anything else")

/* ---- tell ---- */
POWER(SEND_DATA, "send-data", LOW, "streams data to user space")
POWER(PRINT, "print", LOW, "writes to the kernel's trace log")
POWER(GPL, "gpl-helpers", LOW, "calls functions that only programs under the GPL may call")
POWER(UNKNOWN, "unknown", CRITICAL, "calls what is not known here: it may do anything")
