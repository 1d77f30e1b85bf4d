//! Why something is a finding, and why a step was due, each in a sentence: one for every member of the closed lists, so
//! that a new one does not compile before it has its own.

use picket_engine::{Reason, Trigger};

/// Why it is a departure, without what was done.
pub(super) const fn of_finding(reason: Reason) -> &'static str {
    match reason {
        Reason::UndeclaredPath => "no rule for files names the path",
        Reason::ReadNotDeclared => "a rule names the path, and does not let it be read",
        Reason::WriteNotDeclared => "a rule names the path, and does not let it be written",
        Reason::ProtectedInode => {
            "it is a protected file, whatever it is called, and no rule without wildcards names it"
        }
        Reason::UnresolvedPath => "nobody can say which path it is, so no rule can allow it",
        Reason::NamelessObject => "it has no path at all, so no rule can allow it",
        Reason::UndeclaredExec => "no rule names the program or library",
        Reason::UndeclaredInterpreter => "a rule names the script, with another interpreter",
        Reason::UndeclaredArguments => "a rule names the program, with other arguments",
        Reason::UnreadableArguments => {
            "a rule names the program with its arguments, and not all of the actual ones could be read"
        }
        Reason::Fileless => "a program that is in no directory cannot be declared",
        Reason::EntryReplaced => {
            "the entry point is another file than was looked at before the start"
        }
        Reason::UndeclaredDestination => {
            "no rule under `network.connect` covers address, port and protocol"
        }
        Reason::UndeclaredListener => {
            "no rule under `network.listen` covers address, port and protocol"
        }
        Reason::UndeclaredSyscall => "the system call is not declared",
        Reason::DangerousSyscall => {
            "the system call can undo a sandbox and is not declared by its name"
        }
        Reason::ForeignAbi => "system calls of another ABI are not declared",
        Reason::UndeclaredSocket => "this kind of socket is not declared",
        Reason::ExecutableMemory => "no file vouches for what would run there",
        Reason::WritableCode => "it may write to the file, so its code could be of its own making",
        Reason::NewNamespaces => {
            "namespaces are a sandbox of its own, and `unshare` is not declared"
        }
        Reason::DeniedAttempt => {
            "it tried what is not declared, and was refused before it was done"
        }
        Reason::BeforeEntryPoint => {
            "before the entry point runs, only what a launcher calls is expected"
        }
        Reason::TooManyProcesses => "more processes are alive than `processes.max` says",
        Reason::EnteredFromOutside => "somebody outside put a task into the sandbox",
        Reason::Migrated => "what is outside the sandbox is not held by it any more",
        Reason::ClonedOut => "a child outside the sandbox is not held by it",
        Reason::SignalOutside => "nothing lets it reach for processes that are not of the sandbox",
        Reason::ForeignProcess => "nothing lets it touch a process that is not of the sandbox",
        Reason::ForeignPeer => "no rule names this socket of somebody outside",
        Reason::GrantExpired => "a rule allows it, and had ended by then",
        Reason::EventsLost => "what never arrived could not be judged",
        Reason::KernelSideTampered => "who changes the kernel side can hide from it",
        Reason::LauncherLost => "nobody would hold the sandbox if Picket died",
        Reason::Unattended => "what was done meanwhile nobody judged",
        Reason::AnomalousBehaviour => {
            "by what was learned of the plugin, this seldom or never comes of itself: its budget is reached"
        }
    }
}

/// Why it was due.
pub(super) const fn of_step(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Finding => "a finding asks for it",
        Trigger::FreezeConfirmed => "a kill is asked for, and the sandbox stands still now",
        Trigger::FreezeFailed => "the sandbox could not be frozen, and nothing gentler is left",
        Trigger::LeaseExpired => {
            "the sandbox was held as long as the manifest says, and `containment.on_expiry` is `kill`"
        }
    }
}
