//! Families: what is counted apart, each with a vote of its own.

closed_enum! {
    /// A kind of deeds. Each is bounded by itself, so that a plugin with countless files still has its programs.
    pub enum Family {
        /// Programs that were executed.
        Exec = "exec",
        /// Networks and ports that were connected to, sent to or listened on.
        Destination = "destination",
        /// System calls, by number.
        Syscall = "syscall",
        /// Directories in which something was opened or changed, and how.
        Directory = "directory",
        /// Files, by template, and what was done with them.
        Path = "path",
        /// What was refused.
        Errno = "errno",
        /// Everything else that reaches out: sockets of other kinds, memory made executable, namespaces, signals.
        Deed = "deed",
        /// A system call after the three before it in its thread. Recordings hold only the first time of each call, so
        /// none comes of them.
        Context = "context",
    }
}

impl Family {
    /// How many kinds it may have. With more it is full.
    pub const fn limit(self) -> usize {
        match self {
            Self::Exec | Self::Errno | Self::Deed => 256,
            Self::Destination | Self::Syscall | Self::Directory => 1024,
            Self::Path => 4096,
            Self::Context => 8192,
        }
    }

    /// The family of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.as_str() == name)
    }
}
