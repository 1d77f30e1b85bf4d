//! The hooks, one a file. An entry only forwards; what it reports is written in its header.

mod bind;
mod cgroup_attach_task;
mod cgroup_mkdir;
mod cgroup_rmdir;
mod connect;
mod file_mprotect;
mod file_open;
mod mmap_exit;
mod mmap_file;
mod open_exit;
mod sched_process_exec;
mod sched_process_exit;
mod sched_process_fork;
mod sendmsg;
mod sock_create;
mod socket_create;
mod sys_enter;
mod userns_create;
