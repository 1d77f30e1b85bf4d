//! What a template says, taken apart again, for whoever writes a rule that lets the same pass.
//!
//! The inverse of [`super::reduce`], as far as there is one: what was put together (a network of addresses, wildcards of
//! a path) stays so.

use ipnet::IpNet;

use super::{Family, TEMPLATE_BYTES, run};
use crate::{NetworkOperation, SocketClass, SyscallAbi};

/// A deed, as its template says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// A program was executed.
    Exec {
        /// The script that it was executed for, by pattern.
        script: Option<&'a str>,
        /// The program, by pattern.
        program: &'a str,
    },
    /// Something was reached or listened on.
    Destination(Destination),
    /// A system call.
    Call {
        /// Its number in `abi`.
        number: u32,
        /// Which table the number counts in.
        abi: SyscallAbi,
    },
    /// A file, or all that was done in a directory.
    File {
        /// `read`, `write`, `read+write`, `execute`, `map`, or an operation such as `unlink`.
        done: &'a str,
        /// The path, by pattern.
        path: &'a str,
    },
    /// A system call was refused.
    RefusedCall {
        /// Its number in `abi`.
        number: u32,
        /// Which table the number counts in.
        abi: SyscallAbi,
    },
    /// A socket of another kind.
    Socket(SocketClass),
    /// Memory of its own became executable.
    Memory,
    /// Anything else, which no rule of anybody's is about.
    Other,
}

/// Where something was reached or listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// What was done.
    pub operation: NetworkOperation,
    /// The network that the address was counted as.
    pub network: IpNet,
    /// Number of the protocol: 6 for TCP, 17 for UDP.
    pub protocol: u8,
    /// The port; nothing where it is another one every time.
    pub port: Option<u16>,
}

/// What a template of this family says. Nothing for what no template looks like, and for what was cut or has no known
/// path, so that no rule can be made of it.
pub fn meaning(family: Family, template: &str) -> Option<Meaning<'_>> {
    // Cutting goes back to the beginning of a character, by less than the mark is long.
    if TEMPLATE_BYTES - run::CUT.len() <= template.len() && template.ends_with(run::CUT) {
        return None;
    }
    match family {
        Family::Exec => {
            // From the right: a program's own path rarely holds this, a script's may.
            let by = template.rfind(" by /").max(template.rfind(" by ?"));
            let (script, program) = match by {
                None => (None, template),
                Some(at) => (template.get(..at), template.get(at + " by ".len()..)?),
            };
            let known = |path: &str| path.starts_with('/');
            let meant = known(program) && script.is_none_or(known);
            meant.then_some(Meaning::Exec { script, program })
        }
        Family::Destination => destination(template).map(Meaning::Destination),
        Family::Syscall => call(template).map(|(number, abi)| Meaning::Call { number, abi }),
        Family::Directory | Family::Path => {
            let (done, path) = template.split_once(' ')?;
            path.starts_with('/').then_some(Meaning::File { done, path })
        }
        Family::Errno => {
            let refused = template.strip_suffix(" refused")?;
            let Some(text) = refused.strip_prefix("syscall ") else {
                return Some(Meaning::Other);
            };
            call(text).map(|(number, abi)| Meaning::RefusedCall { number, abi })
        }
        Family::Deed => match template.split_once(' ') {
            Some(("socket", class)) => {
                let class = SocketClass::ALL.iter().find(|one| one.as_str() == class)?;
                Some(Meaning::Socket(*class))
            }
            Some(("memory", _)) => Some(Meaning::Memory),
            _ => Some(Meaning::Other),
        },
        Family::Context => None,
    }
}

fn call(text: &str) -> Option<(u32, SyscallAbi)> {
    let foreign = [SyscallAbi::Ia32, SyscallAbi::X32].into_iter().find_map(|abi| {
        let rest = text.strip_prefix(abi.as_str())?;
        Some((rest.strip_prefix(' ')?, abi))
    });
    let (number, abi) = foreign.unwrap_or((text, SyscallAbi::Native));
    Some((number.parse().ok()?, abi))
}

fn destination(text: &str) -> Option<Destination> {
    let mut words = text.split(' ');
    let operation = words.next()?;
    let operation = NetworkOperation::ALL.iter().find(|one| one.as_str() == operation)?;
    let network = words.next()?.parse().ok()?;
    let protocol = match words.next()? {
        "tcp" => 6,
        "udp" => 17,
        other => other.strip_prefix("protocol-")?.parse().ok()?,
    };
    let port = match words.next()? {
        "ephemeral" => None,
        number => Some(number.parse().ok()?),
    };
    let whole = words.next().is_none();
    whole.then_some(Destination { operation: *operation, network, protocol, port })
}
