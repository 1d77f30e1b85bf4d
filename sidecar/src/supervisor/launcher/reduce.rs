//! Gives up everything a plugin may not have, then makes the frozen child.
//!
//! What was given up is read back before the clone, and the gate reads it once more from outside:
//! a call that succeeds and does nothing must not go unnoticed.

use std::ffi::CStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::parent_id;
use std::path::Path;

use super::super::capabilities::CapabilitySet;
use super::super::confine::{self, Pass};
use super::super::paths;
use super::super::proc_status::Status;
use super::super::spec::{Confinement, PassedDescriptor};
use super::super::sys;
use super::super::sys::process::{self, Birth, Image};
use super::super::sys::{channel, seccomp};
use super::super::wire::{Instructions, Report, Step};
use super::{During, Fault, isolate};

/// Exit codes of a child whose exec failed, as shells have them.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// The descriptors a reducer needs; all but the declared ones close at the child's exec.
pub(super) struct Belongings {
    /// Where it answers to the guard. A socket: the listener of a filter goes along.
    pub(super) report: OwnedFd,
    /// The sandbox's cgroup directory, from the mount that the plugin does not see.
    pub(super) directory: OwnedFd,
    /// Where the child says why its exec failed. Closed by an exec that works.
    pub(super) status: OwnedFd,
    /// What the plugin gets.
    pub(super) declared: Vec<OwnedFd>,
}

/// Runs the reducer to its end; in the child, until it is the plugin.
pub(super) fn run(instructions: &Instructions, mut mine: Belongings, guard: u32) -> ! {
    let mut filter = Filter { pass: Pass::NONE, listener: None };
    let report = match reduce_and_clone(instructions, &mut mine, &mut filter, guard) {
        Ok(child) => Report::Cloned { child },
        Err(fault) => fault.report(),
    };
    let listener = filter.listener.as_ref().map(AsFd::as_fd);
    let listener = listener.as_slice();
    // If this fails the guard is gone, and the frozen child is the sweeper's.
    drop(channel::send_with(filter.pass, mine.report.as_fd(), &report.encode(), listener));
    process::leave(0, filter.pass)
}

/// What came of `confinement`.
struct Filter {
    /// What this process's calls need from now on.
    pass: Pass,
    /// Where the refused ones are heard.
    listener: Option<OwnedFd>,
}

fn reduce_and_clone(
    instructions: &Instructions,
    mine: &mut Belongings,
    filter: &mut Filter,
    guard: u32,
) -> Result<u32, Fault> {
    process::die_with_parent().during(Step::Session)?;
    if parent_id() != guard {
        process::leave(0, Pass::NONE);
    }
    process::lead_new_session().during(Step::Session)?;
    isolate::isolate(Path::new(paths::from_c(&instructions.sandbox)))?;
    mine.arrange(&instructions.numbers).during(Step::Descriptors)?;
    process::reset_signals().during(Step::Signals)?;
    keep_only(instructions.capabilities)?;
    process::refuse_new_privileges().during(Step::NoNewPrivileges)?;
    // With the plugin's rights, not with ours.
    enter(&instructions.working_directory).during(Step::WorkingDirectory)?;
    read_back(instructions.capabilities).during(Step::ReadBack)?;
    let Instructions { program, arguments, environment, .. } = instructions;
    let image = Image::new(program, arguments, environment);
    restrict(instructions).during(Step::Wall)?;
    // Last: from here on every call needs the pass, and none of it may allocate much.
    confine(instructions.confinement, filter).during(Step::Filter)?;
    clone(&image, mine, filter.pass).during(Step::Clone)
}

/// Puts up the wall, in the mount namespace that the plugin will see.
///
/// After the privileges went, so that it looks at places with the plugin's own rights.
fn restrict(instructions: &Instructions) -> io::Result<()> {
    let Some(wall) = &instructions.wall else { return Ok(()) };
    let interface = confine::landlock_interface()
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EOPNOTSUPP))?;
    let rules = wall.iter().map(|(place, ways)| (Path::new(paths::from_c(place)), *ways));
    confine::restrict(interface, rules, &instructions.numbers)
}

fn confine(confinement: Confinement, filter: &mut Filter) -> io::Result<()> {
    let Confinement::Strict(calls) = confinement else {
        return Ok(());
    };
    let pass = Pass(u64::from_ne_bytes(sys::random()?));
    let program = confine::program(&calls, pass).map_err(io::Error::other)?;
    filter.listener = Some(seccomp::install(&program)?);
    filter.pass = pass;
    // Giving it back is a call, if it is large.
    std::mem::forget(program);
    Ok(())
}

impl Belongings {
    /// Puts every declared descriptor at its number and closes what is not needed.
    fn arrange(&mut self, numbers: &[RawFd]) -> io::Result<()> {
        // Out of the way first, so that no descriptor is overwritten before it is placed.
        const FIRST_FREE: RawFd = PassedDescriptor::MAX + 1;
        let own = [&mut self.report, &mut self.directory, &mut self.status];
        for file in own.into_iter().chain(&mut self.declared) {
            *file = sys::duplicate(file.as_raw_fd(), FIRST_FREE)?;
        }
        let null = {
            let opened = OpenOptions::new().read(true).write(true).open("/dev/null")?;
            sys::duplicate(opened.as_raw_fd(), FIRST_FREE)?
        };
        for number in (0..3).filter(|number| !numbers.contains(number)) {
            sys::place(null.as_fd(), number)?;
        }
        for (number, file) in numbers.iter().zip(&self.declared) {
            sys::place(file.as_fd(), *number)?;
        }
        // Nothing that is still owned may be closed by number below.
        self.declared.clear();
        drop(null);
        let own = [&self.report, &self.directory, &self.status].map(AsRawFd::as_raw_fd);
        close_all_but(&[&[0, 1, 2], numbers, &own].concat())
    }
}

fn close_all_but(kept: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|&number| number.try_into().ok()).collect();
    kept.sort_unstable();
    let mut first = 0;
    for number in kept {
        if first < number {
            sys::close_range(first, number - 1)?;
        }
        first = number + 1;
    }
    sys::close_range(first, u32::MAX)
}

/// Leaves `kept` in every capability set, for good.
///
/// Ambient too: with NOROOT no file gives uid 0 a capability, so what is not ambient is gone at
/// the exec.
fn keep_only(kept: CapabilitySet) -> Result<(), Fault> {
    for number in (0..u64::BITS).filter(|&number| !kept.contains(number)) {
        if !process::drop_from_bounding_set(number).during(Step::BoundingSet)? {
            break;
        }
    }
    process::clear_ambient().during(Step::KeptCapabilities)?;
    process::set_capabilities(kept.bits(), None).during(Step::KeptCapabilities)?;
    for number in (0..u64::BITS).filter(|&number| kept.contains(number)) {
        process::raise_ambient(number).during(Step::KeptCapabilities)?;
    }
    process::set_securebits().during(Step::Securebits)?;
    process::set_capabilities(kept.bits(), Some(kept.bits())).during(Step::Capabilities)
}

fn enter(directory: &CStr) -> io::Result<()> {
    std::env::set_current_dir(paths::from_c(directory))
}

fn read_back(kept: CapabilitySet) -> io::Result<()> {
    let status = Status::parse(&fs::read("/proc/self/status")?);
    let reduced = status.is_some_and(|status| {
        status.no_new_privileges && status.capabilities.iter().all(|(_name, set)| *set == kept)
    });
    if reduced && process::securebits()? == process::SECUREBITS && process::is_memory_hidden()? {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }
}

fn clone(image: &Image<'_>, mine: &Belongings, pass: Pass) -> io::Result<u32> {
    match process::clone_into_cgroup(mine.directory.as_fd(), pass)? {
        Birth::Parent { child } => Ok(child),
        Birth::Child => become_plugin(image, &mine.status, pass),
    }
}

/// The child's only act. Allocates nothing: it is a copy of a process that may have been anywhere.
fn become_plugin(image: &Image<'_>, status: &OwnedFd, pass: Pass) -> ! {
    let error = image.execute(pass);
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let code = if errno == libc::ENOENT { NOT_FOUND } else { NOT_EXECUTABLE };
    process::last_words(status.as_fd(), &errno.to_le_bytes(), pass);
    process::leave(code, pass)
}
