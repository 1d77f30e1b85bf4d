//! L0: what the manifest does not declare is a departure. One file a capability.
//!
//! Default deny throughout: a fact about which too little is known is a departure, with a reason
//! of its own, and never passes for declared.

mod exec;
mod files;
mod memory;
mod nearest;
mod network;
mod others;
mod syscalls;

pub(crate) use nearest::nearest;

use super::{Context, Offence};
use crate::{Capability, Departure, Fact, Reason};

pub(crate) fn judge(context: &Context<'_>, fact: &Fact) -> Option<Offence> {
    match fact {
        Fact::Syscall { number, abi, arguments } => {
            syscalls::judge(context, *number, *abi, arguments)
        }
        // A descriptor that was received opens a file, and everything else done with one writes to
        // it: a rule for its name says whether that is declared, whatever the operation is called.
        Fact::Open { path, file, access, .. } | Fact::FileOperation { path, file, access, .. } => {
            files::judge(context, path, *file, *access)
        }
        Fact::Exec { path, file, links, script, argv } => {
            let program = exec::Program { path, file: *file, links: *links, script, argv };
            exec::judge(context, &program)
        }
        Fact::Network { operation, protocol, address, port, .. } => {
            network::judge(context, *operation, *protocol, *address, *port)
        }
        Fact::Socket { family, socket_type, protocol, .. } => {
            network::judge_socket(context, *family, *socket_type, *protocol)
        }
        // The launcher maps nothing, by its own list of calls; the kernel does, for the entry point.
        Fact::Memory { .. } | Fact::Mapped { .. } if context.starting => None,
        Fact::Memory { .. } => memory::judge(context),
        Fact::Mapped { path, file, links } => memory::judge_file(context, path, *file, *links),
        Fact::Namespaces { .. } => syscalls::judge_namespaces(context),
        Fact::Fork { .. } => (context.policy.max_processes < context.alive)
            .then_some(Offence::new(Capability::Processes, Reason::TooManyProcesses)),
        // Somebody outside did that, perhaps an operator: not an escape, yet not declared either.
        Fact::Entered {} => Some(Offence::new(Capability::Processes, Reason::EnteredFromOutside)),
        Fact::Left { how, .. } => {
            let reason = match how {
                Departure::Migrated => Reason::Migrated,
                Departure::ClonedOut => Reason::ClonedOut,
            };
            Some(Offence::new(Capability::Escape, reason))
        }
        Fact::Reach { how, .. } => Some(others::reached(*how)),
        // The launcher says by its own line why it could not start the plugin.
        Fact::Peer { .. } if context.starting => None,
        Fact::Peer { whose, name, .. } => others::met(context, *whose, name),
        Fact::Denied { number, abi, by_arguments, .. } => {
            syscalls::denied(context, *number, *abi, *by_arguments)
        }
        Fact::Refused { path, access, .. } => files::refused(context, path, *access),
        Fact::Exit { .. } | Fact::Calls { .. } => None,
    }
}

#[cfg(test)]
mod tests;
