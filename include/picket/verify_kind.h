/* SPDX-License-Identifier: Apache-2.0
 *
 * KIND(id, name, doc): what a program may be for. Included many times, each with its own KIND; what the verifier knows of
 * each of them is in src/verify/kind.def.
 */

KIND(MEMORY, "memory", "bytes in memory: r1 is their address, r2 how many; picket's own sandbox")
KIND(RULE, "rule", "picket's rules: works on maps and its own helpers only; r1 is not to be read")

/* ---- packets ---- */
KIND(SOCKET_FILTER, "socket_filter", "what of a packet a socket gets")
KIND(SCHED_CLS, "sched_cls", "traffic control: classifier, with direct action (tc, tcx, netkit)")
KIND(SCHED_ACT, "sched_act", "traffic control: action")
KIND(XDP, "xdp", "a frame, before the kernel has made a packet of it")
KIND(CGROUP_SKB, "cgroup_skb", "packets of the sockets of a control group")
KIND(LWT_IN, "lwt_in", "packets that a route takes in")
KIND(LWT_OUT, "lwt_out", "packets that a route sends out")
KIND(LWT_XMIT, "lwt_xmit", "packets that a route transmits")
KIND(LWT_SEG6LOCAL, "lwt_seg6local", "IPv6 segment routing: an action at a segment's end")
KIND(FLOW_DISSECTOR, "flow_dissector", "reads the flow's addresses and ports out of a packet")
KIND(NETFILTER, "netfilter", "netfilter's hooks")

/* ---- sockets ---- */
KIND(SOCK_OPS, "sock_ops", "events of a TCP connection")
KIND(SK_SKB, "sk_skb", "stream parser or verdict of a socket map")
KIND(SK_MSG, "sk_msg", "what a socket of a socket map sends")
KIND(SK_REUSEPORT, "sk_reuseport", "chooses among the sockets of a port")
KIND(SK_LOOKUP, "sk_lookup", "chooses the listening socket")

/* ---- control groups ---- */
KIND(CGROUP_SOCK, "cgroup_sock", "sockets made, bound or released")
KIND(CGROUP_SOCK_ADDR, "cgroup_sock_addr", "addresses in bind, connect, sendmsg, recvmsg, getpeername and getsockname")
KIND(CGROUP_DEVICE, "cgroup_device", "opening and making of devices")
KIND(CGROUP_SYSCTL, "cgroup_sysctl", "reading and writing of sysctls")
KIND(CGROUP_SOCKOPT, "cgroup_sockopt", "getsockopt and setsockopt")

/* ---- tracing ---- */
KIND(KPROBE, "kprobe", "kprobe, kretprobe, uprobe, uretprobe, ksyscall, usdt")
KIND(TRACEPOINT, "tracepoint", "a tracepoint, by its formatted record")
KIND(PERF_EVENT, "perf_event", "a sample of a performance counter")
KIND(RAW_TRACEPOINT, "raw_tracepoint", "a tracepoint, by its arguments as numbers")
KIND(RAW_TRACEPOINT_WRITABLE, "raw_tracepoint_writable", "the same, and its first argument is a buffer to write to")
KIND(TP_BTF, "tp_btf", "a tracepoint, by its typed arguments")
KIND(FENTRY, "fentry", "a kernel function's entry")
KIND(FEXIT, "fexit", "a kernel function's return")
KIND(FMOD_RET, "fmod_ret", "instead of a kernel function that allows it, by the value returned")
KIND(ITER, "iter", "walks the kernel's objects: tasks, files, maps, sockets ...")
KIND(LSM, "lsm", "a hook of the Linux security modules")
KIND(LSM_CGROUP, "lsm_cgroup", "the same, for one control group")

/* ---- others ---- */
KIND(FREPLACE, "freplace", "replaces a global function of another program")
KIND(STRUCT_OPS, "struct_ops", "implements a table of functions of the kernel (congestion control, scheduler ...)")
KIND(SYSCALL, "syscall", "run by user space through bpf(2): loaders")
KIND(LIRC_MODE2, "lirc_mode2", "decodes infrared pulses")
