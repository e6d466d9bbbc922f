/* Kinds of namespaces, as clone and unshare name them. */
#ifndef MV_HOOKS_NAMESPACE_H
#define MV_HOOKS_NAMESPACE_H

#define MV_CLONE_NEWTIME 0x80u
#define MV_CLONE_NEWNS 0x20000u
#define MV_CLONE_NEWCGROUP 0x2000000u
#define MV_CLONE_NEWUTS 0x4000000u
#define MV_CLONE_NEWIPC 0x8000000u
#define MV_CLONE_NEWUSER 0x10000000u
#define MV_CLONE_NEWPID 0x20000000u
#define MV_CLONE_NEWNET 0x40000000u

/* A follower's processes have their numbers from its PID namespace; clocks are compared with the supervisor's. */
#define MV_NAMESPACES_DENIED (MV_CLONE_NEWTIME | MV_CLONE_NEWPID)

#endif
