//! What can be done with files, addresses, memory, and processes and sockets of others.

closed_enum! {
    /// What was done with a file otherwise than by opening it. What has two names is two facts.
    pub enum FileOperation {
        /// This name of it was removed.
        Unlink = "unlink",
        /// A directory was removed.
        Rmdir = "rmdir",
        /// A directory was made.
        Mkdir = "mkdir",
        /// A file, device or pipe was made, also by an open that creates.
        Mknod = "mknod",
        /// A symbolic link was made.
        Symlink = "symlink",
        /// It was given one more name: this is the one it had.
        Link = "link",
        /// It was given one more name: this is the new one.
        LinkTo = "link_to",
        /// It was renamed: this is the old name.
        Rename = "rename",
        /// Something was renamed to this; the file is what stood there.
        RenameTo = "rename_to",
        /// It was cut, without being opened.
        Truncate = "truncate",
        /// Its permission bits were changed.
        Chmod = "chmod",
        /// Its owner was changed.
        Chown = "chown",
        /// A descriptor of it arrived from another process.
        Receive = "receive",
        /// It is a socket of somebody outside, and was connected to.
        ConnectUnix = "connect_unix",
        /// It is a socket of somebody outside, and was sent to.
        SendUnix = "send_unix",
    }
}

closed_enum! {
    /// How a process was reached for.
    pub enum Reach {
        /// A signal was sent to it.
        Signal = "signal",
        /// It was asked whether it is there, by the signal 0.
        Probe = "probe",
        /// It was looked into: its memory map, its descriptors, its environment.
        Inspect = "inspect",
        /// It was taken hold of: traced, its memory read or written, its descriptors copied.
        Attach = "attach",
    }
}

closed_enum! {
    /// Whose something outside a sandbox is.
    pub enum Whose {
        /// Nobody's that Picket watches.
        Outside = "outside",
        /// Another sandbox's.
        Sandbox = "another_sandbox",
        /// Picket's own.
        Picket = "picket",
    }
}

closed_enum! {
    /// What was done with a network address.
    pub enum NetworkOperation {
        /// A connection was begun, fast open included.
        Connect = "connect",
        /// A datagram was sent without one.
        Send = "send",
        /// A local address was taken.
        Bind = "bind",
        /// Listening began at a port that the kernel picked. Port 0: it picks one right after.
        Listen = "listen",
    }
}

impl NetworkOperation {
    /// Whether its address is the plugin's own, which `listen` grants, and not a destination.
    #[must_use]
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Bind | Self::Listen)
    }
}

closed_enum! {
    /// How memory came to be executable.
    pub enum MemoryUse {
        /// Mapped so.
        Mapped = "mapped",
        /// Mapped otherwise, and changed.
        Changed = "changed",
        /// Attached so: System V shared memory.
        Attached = "attached",
    }
}
