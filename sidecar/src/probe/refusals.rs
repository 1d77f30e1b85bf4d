//! The one program at the exits of all calls that take a name: what Landlock refuses.

use std::os::fd::AsFd;

use aya::{
    Ebpf,
    programs::{Program, links::FdLink},
};

use super::{
    complaint::refused,
    links::{Links, kept},
    load::LoadError,
    losses::Losses,
    tracefs,
};

/// Its name.
pub(super) const HOOK: &str = "call_refused";

/// Calls that Landlock may refuse by name.
const EXITS: [&str; 21] = [
    "sys_exit_open",
    "sys_exit_openat",
    "sys_exit_openat2",
    "sys_exit_creat",
    "sys_exit_execve",
    "sys_exit_execveat",
    "sys_exit_truncate",
    "sys_exit_mkdir",
    "sys_exit_mkdirat",
    "sys_exit_rmdir",
    "sys_exit_unlink",
    "sys_exit_unlinkat",
    "sys_exit_mknod",
    "sys_exit_mknodat",
    "sys_exit_symlink",
    "sys_exit_symlinkat",
    "sys_exit_link",
    "sys_exit_linkat",
    "sys_exit_rename",
    "sys_exit_renameat",
    "sys_exit_renameat2",
];

/// Attaches the program to all of them.
pub(super) fn attach(ebpf: &mut Ebpf, losses: &Losses, links: &Links) -> Result<(), LoadError> {
    let Some(Program::TracePoint(program)) = ebpf.program_mut(HOOK) else {
        return Err(LoadError::Missing { what: HOOK });
    };
    program.load().map_err(|error| refused(HOOK, &error))?;
    let mut attach = |exit| {
        let id = program.attach("syscalls", exit).map_err(|error| refused(HOOK, &error))?;
        let link = program.take_link(id).map_err(|error| refused(HOOK, &error))?;
        kept(HOOK, FdLink::try_from(link).and_then(|link| links.keep(HOOK, link)))
    };
    tracefs::within(|| EXITS.into_iter().try_for_each(&mut attach))
        .map_err(LoadError::Tracefs)??;
    let descriptor = program.fd().map_err(|error| refused(HOOK, &error))?;
    let descriptor = descriptor.as_fd().try_clone_to_owned();
    losses.watch_skips(descriptor.map_err(|source| LoadError::Descriptor { source })?);
    Ok(())
}
