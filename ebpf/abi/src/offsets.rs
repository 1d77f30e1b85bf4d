//! Byte offsets of the kernel fields that the probes read, resolved from the running kernel's BTF at load.

/// An offset the running kernel does not have. The verifier refuses an access with it.
pub const ABSENT: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident: $structure:literal . $path:literal,)+) => {
        /// One byte offset per kernel field, in frozen `.rodata`, so constants to the verifier.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::Immutable))]
        pub struct Offsets {
            $($(#[$doc])* #[doc = concat!("`", $structure, ".", $path, "`")] pub $field: u32,)+
        }

        impl Offsets {
            /// (field, kernel structure, dotted path), in field order: what the resolver looks up.
            pub const FIELDS: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($field), $structure, $path),)+];

            /// Every offset absent: what the object is built with.
            pub const UNRESOLVED: Self = Self { $($field: ABSENT,)+ };

            /// Fills the fields, in the order of [`Self::FIELDS`].
            ///
            /// # Errors
            /// What `resolve` answers for the first field it cannot resolve.
            pub fn resolve<E>(
                mut resolve: impl FnMut(&'static str, &'static str) -> Result<u32, E>,
            ) -> Result<Self, E> {
                Ok(Self { $($field: resolve($structure, $path)?,)+ })
            }
        }
    };
}

offsets! {
    task_status: "task_struct"."thread_info.status",
    task_tgid: "task_struct"."tgid",
    task_pid: "task_struct"."pid",
    task_start: "task_struct"."start_boottime",
    task_cgroups: "task_struct"."cgroups",
    task_files: "task_struct"."files",
    task_nsproxy: "task_struct"."nsproxy",
    task_mm: "task_struct"."mm",
    task_signal: "task_struct"."signal",
    task_exit_code: "task_struct"."exit_code",
    css_set_dfl_cgrp: "css_set"."dfl_cgrp",
    cgroup_kn: "cgroup"."kn",
    cgroup_root: "cgroup"."root",
    cgroup_parent: "cgroup"."self.parent",
    css_cgroup: "cgroup_subsys_state"."cgroup",
    cgroup_root_hierarchy: "cgroup_root"."hierarchy_id",
    kernfs_id: "kernfs_node"."id",
    files_fdt: "files_struct"."fdt",
    fdtable_fd: "fdtable"."fd",
    fdtable_max: "fdtable"."max_fds",
    file_mnt: "file"."f_path.mnt",
    file_dentry: "file"."f_path.dentry",
    file_inode: "file"."f_inode",
    file_mode: "file"."f_mode",
    file_flags: "file"."f_flags",
    dentry_parent: "dentry"."d_parent",
    dentry_name: "dentry"."d_name.name",
    dentry_name_len: "dentry"."d_name.len",
    dentry_name_hash: "dentry"."d_name.hash_len",
    dentry_hashed: "dentry"."d_hash.pprev",
    inode_ino: "inode"."i_ino",
    inode_sb: "inode"."i_sb",
    inode_mode: "inode"."i_mode",
    inode_nlink: "inode"."i_nlink",
    sb_dev: "super_block"."s_dev",
    mount_mnt: "mount"."mnt",
    mount_parent: "mount"."mnt_parent",
    mount_mountpoint: "mount"."mnt_mountpoint",
    mount_ns: "mount"."mnt_ns",
    vfsmount_root: "vfsmount"."mnt_root",
    mnt_ns_inum: "mnt_namespace"."ns.inum",
    nsproxy_mnt_ns: "nsproxy"."mnt_ns",
    bprm_file: "linux_binprm"."file",
    bprm_filename: "linux_binprm"."filename",
    bprm_interp: "linux_binprm"."interp",
    mm_arg_start: "mm_struct"."arg_start",
    mm_arg_end: "mm_struct"."arg_end",
    signal_live: "signal_struct"."live.counter",
    regs_di: "pt_regs"."di",
    regs_si: "pt_regs"."si",
    regs_dx: "pt_regs"."dx",
    regs_r10: "pt_regs"."r10",
    regs_r8: "pt_regs"."r8",
    regs_r9: "pt_regs"."r9",
    regs_bx: "pt_regs"."bx",
    regs_cx: "pt_regs"."cx",
    regs_bp: "pt_regs"."bp",
    regs_orig_ax: "pt_regs"."orig_ax",
    task_cred: "task_struct"."cred",
    cred_user_ns: "cred"."user_ns",
    nsproxy_uts_ns: "nsproxy"."uts_ns",
    nsproxy_ipc_ns: "nsproxy"."ipc_ns",
    nsproxy_pid_ns: "nsproxy"."pid_ns_for_children",
    nsproxy_net_ns: "nsproxy"."net_ns",
    nsproxy_time_ns: "nsproxy"."time_ns",
    nsproxy_cgroup_ns: "nsproxy"."cgroup_ns",
    dentry_inode: "dentry"."d_inode",
    dentry_sb: "dentry"."d_sb",
    path_mnt: "path"."mnt",
    path_dentry: "path"."dentry",
    siginfo_code: "kernel_siginfo"."si_code",
    socket_sk: "socket"."sk",
    sock_cgroup: "sock"."sk_cgrp_data.cgroup",
    unix_addr: "unix_sock"."addr",
    unix_path: "unix_sock"."path",
    unix_address_len: "unix_address"."len",
    unix_address_name: "unix_address"."name",
    io_opcode: "io_kiocb"."opcode",
    io_flags: "io_kiocb"."flags",
    io_result: "io_kiocb"."cqe.res",
    io_ring: "io_kiocb"."ctx",
    io_ring_flags: "io_ring_ctx"."flags",
    io_command: "io_kiocb"."cmd",
    io_open_slot: "io_open"."file_slot",
    task_fs: "task_struct"."fs",
    fs_root: "fs_struct"."root",
    fs_pwd: "fs_struct"."pwd",
    sock_family: "sock"."__sk_common.skc_family",
    sock_port: "sock"."__sk_common.skc_num",
    sock_address4: "sock"."__sk_common.skc_rcv_saddr",
    sock_address6: "sock"."__sk_common.skc_v6_rcv_saddr",
    sock_protocol: "sock"."sk_protocol",
    sock_type: "sock"."sk_type",
}
