//! Why something is a finding: the closed list that metrics, alerts and people share.

closed_enum! {
    /// Why something is a finding.
    pub enum Reason {
        /// No file rule names the path.
        UndeclaredPath = "undeclared_path",
        /// The path is declared, reading it is not.
        ReadNotDeclared = "read_not_declared",
        /// The path is declared, writing to it is not.
        WriteNotDeclared = "write_not_declared",
        /// A protected file, under whatever name.
        ProtectedInode = "protected_inode",
        /// Nobody can say which path it is, so no rule can allow it.
        UnresolvedPath = "unresolved_path",
        /// An object that has no path at all, such as another process's memfd or pipe.
        NamelessObject = "nameless_object",
        /// No rule names the program.
        UndeclaredExec = "undeclared_exec",
        /// The script is declared, but not with this interpreter.
        UndeclaredInterpreter = "undeclared_interpreter",
        /// The program is declared, but not with these arguments.
        UndeclaredArguments = "undeclared_arguments",
        /// The program is declared with arguments, and not all of the actual ones could be read.
        UnreadableArguments = "unreadable_arguments",
        /// A program that is in no directory: unlinked, or made in memory.
        Fileless = "fileless",
        /// The entry point is another file than the one that was verified before the start.
        EntryReplaced = "entry_replaced",
        /// No connect rule covers address, port and protocol.
        UndeclaredDestination = "undeclared_destination",
        /// No listen rule covers address, port and protocol.
        UndeclaredListener = "undeclared_listener",
        /// The system call is not declared.
        UndeclaredSyscall = "undeclared_syscall",
        /// The system call is of the danger set and not declared by name.
        DangerousSyscall = "dangerous_syscall",
        /// A system call of a 32-bit ABI, which is not declared.
        ForeignAbi = "foreign_abi",
        /// A kind of socket that the manifest does not declare.
        UndeclaredSocket = "undeclared_socket",
        /// Memory that no file vouches for became executable.
        ExecutableMemory = "executable_memory",
        /// A file was mapped for execution that the sandbox may write to.
        WritableCode = "writable_code",
        /// Namespaces of its own, and `unshare` is not declared.
        NewNamespaces = "new_namespaces",
        /// The sandbox's own filter refused a system call, which so never ran, or the kernel what is not declared of a
        /// file.
        DeniedAttempt = "denied_attempt",
        /// Before its entry point ran, the sandbox did more than a launcher does.
        BeforeEntryPoint = "before_entry_point",
        /// More processes alive at once than declared.
        TooManyProcesses = "too_many_processes",
        /// A task joined the sandbox from outside.
        EnteredFromOutside = "entered_from_outside",
        /// A task was moved out of the sandbox.
        Migrated = "migrated",
        /// A child was created outside the sandbox.
        ClonedOut = "cloned_out",
        /// A signal, or the question whether it is there, to a process that is not of the sandbox.
        SignalOutside = "signal_outside",
        /// A process that is not of the sandbox was looked into or taken hold of.
        ForeignProcess = "foreign_process",
        /// A Unix socket of somebody who is not of the sandbox was talked to.
        ForeignPeer = "foreign_peer",
        /// Only a grant that has run out allows it.
        GrantExpired = "grant_expired",
        /// Events of this sandbox never arrived.
        EventsLost = "events_lost",
        /// Somebody interfered with the programs or maps in the kernel.
        KernelSideTampered = "kernel_side_tampered",
        /// The launcher, which holds the sandbox should Picket die, is gone.
        LauncherLost = "launcher_lost",
        /// Nobody judged the sandbox for a while: Picket was stopped, or starved.
        Unattended = "unattended",
        /// By learned evidence: so often unusual, or so much, that it is no accident within its budget.
        AnomalousBehaviour = "anomalous_behaviour",
    }
}
