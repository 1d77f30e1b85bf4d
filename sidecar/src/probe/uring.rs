//! Opens by io_uring in the tier `trace`: raw tracepoints that newer kernels have.

use std::io;

use aya::{
    Ebpf,
    programs::{Program, ProgramError},
};

use super::{
    complaint::refused,
    links::{Links, kept},
    load::LoadError,
};

/// Those of kernels that have the first.
pub(super) const RING_HOOKS: [&str; 2] = ["io_uring_submit_req", "io_uring_complete"];

/// Attaches them. False where the kernel does not have them.
///
/// # Errors
/// The kernel has them and refuses.
pub(super) fn attach(ebpf: &mut Ebpf, links: &Links) -> Result<bool, LoadError> {
    for name in RING_HOOKS {
        let Some(Program::RawTracePoint(program)) = ebpf.program_mut(name) else {
            return Err(LoadError::Missing { what: name });
        };
        let attached = program.load().and_then(|()| program.attach(name));
        match attached.and_then(|id| program.take_link(id)) {
            Ok(link) => kept(name, links.keep(name, link.into()))?,
            Err(ProgramError::SyscallError(error))
                if name == RING_HOOKS[0] && error.io_error.kind() == io::ErrorKind::NotFound =>
            {
                program.unload().map_err(|error| refused(name, &error))?;
                return Ok(false);
            }
            Err(error) => return Err(refused(name, &error)),
        }
    }
    Ok(true)
}
