//! The launcher: the small process between Picket and a plugin.
//!
//! A frozen child runs nothing, so it cannot clean itself up: at the gate it still is its parent,
//! with the parent's memory and descriptors. So the parent must be something harmless. The
//! launcher is a fresh process without environment and with one socket, and it splits in two:
//!
//! * the *reducer* gives up everything a plugin may not have, clones itself into the frozen cgroup
//!   as a child of the guard, and ends. The clone is the plugin-to-be; its only act, once thawed,
//!   is `execve`;
//! * the *guard* stays, outside the sandbox and out of the plugin's reach. It reaps the child and
//!   reports its end, and it is the dead man's switch: when Picket is gone it freezes the sandbox
//!   at once.
//!
//! Two, because the child shares its maker's user, and whoever shares a plugin's user can be
//! signalled by it. The guard takes a real uid of its own after the split, so a plugin that kills
//! everything it can reach kills Picket, and is frozen for it.
//!
//! `Ctrl-C`: guard and plugin lead sessions of their own, so the terminal's signals reach Picket
//! only, and Picket decides what becomes of the sandbox. It also means that a plugin can push no
//! input into the terminal and that it cannot do job control.

mod guard;
mod isolate;
mod reduce;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use self::guard::Guard;
use super::controls::Controls;
use super::paths;
use super::pulse::Pulse;
use super::sys::channel::Received;
use super::sys::process::{self, Birth};
use super::sys::{self, channel};
use super::wire::{Instructions, MAX_INSTRUCTIONS, Malformed, Report, Step};

/// Exit code of a launcher that a person started: wrong use.
const WRONG_USE: u8 = 64;

/// A launcher's step that failed.
struct Fault {
    step: Step,
    source: io::Error,
}

/// Names the step that an error belongs to.
trait During<T> {
    fn during(self, step: Step) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: Step) -> Result<T, Fault> {
        self.map_err(|source| Fault { step, source: source.into() })
    }
}

impl Fault {
    fn report(&self) -> Report {
        // An error that is not the kernel's own (a file too long, say) is an invalid argument.
        let errno = self.source.raw_os_error().unwrap_or(libc::EINVAL);
        Report::Failed { step: self.step, errno }
    }
}

/// What Picket sends along with the instructions, in the order it sends it.
struct Parcel {
    picket: OwnedFd,
    lock: OwnedFd,
    controls: Controls,
    pulse: Pulse,
    directory: OwnedFd,
    status: OwnedFd,
    declared: Vec<OwnedFd>,
}

/// How many descriptors come before the declared ones.
pub(super) const OWN_DESCRIPTORS: usize = 9;

/// Runs the launcher. To be called first thing in `main`, while the process has one thread.
pub fn main() -> ExitCode {
    match take_control_socket() {
        Ok(control) => {
            serve(&control);
            ExitCode::SUCCESS
        }
        Err(source) => {
            // Nobody but the person who typed the hidden argument can read this.
            drop(writeln!(
                io::stderr(),
                "picket: this subcommand is for Picket's own use, it is started by `picket exec` \
                 ({source})"
            ));
            ExitCode::from(WRONG_USE)
        }
    }
}

/// Moves the control socket away from descriptor 0, where Picket put it.
fn take_control_socket() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if !channel::is_control_socket(stdin.as_fd()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no control socket"));
    }
    let control = sys::duplicate(0, 3)?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    sys::place(null.as_fd(), 0)?;
    Ok(control)
}

fn serve(control: &OwnedFd) {
    let outcome = start(control);
    let (guard, child, listener) = match outcome {
        Ok(Some(started)) => started,
        // Picket changed its mind, or is gone, before there was anything to guard.
        Ok(None) => return,
        Err(fault) => {
            // When Picket is gone too, nobody is left who could want to know.
            drop(channel::send(control.as_fd(), &fault.report().encode(), &[]));
            return;
        }
    };
    let report = Report::Cloned { child }.encode();
    // When Picket is gone, the guard finds out by itself at once.
    let descriptors: Vec<_> =
        [guard.child_handle()].into_iter().chain(listener.as_ref().map(AsFd::as_fd)).collect();
    drop(channel::send(control.as_fd(), &report, &descriptors));
    drop(descriptors);
    // A copy that outlived Picket's would keep refused calls waiting for ever.
    drop(listener);
    guard.stand(control.as_fd());
}

/// A guard, its child, and where the refused calls of the child are heard.
type Started = (Guard, u32, Option<OwnedFd>);

/// Makes the frozen child. `None` when Picket is gone.
fn start(control: &OwnedFd) -> Result<Option<Started>, Fault> {
    process::rename(c"picket-launch").during(Step::HideMemory)?;
    // Before anything secret is in it.
    process::hide_memory().during(Step::HideMemory)?;
    process::block_signals().during(Step::Signals)?;
    let Some((instructions, parcel)) = receive(control).during(Step::Instructions)? else {
        return Ok(None);
    };
    let Parcel { picket, lock, controls, pulse, directory, status, declared } = parcel;
    let (answers, report) = channel::pair().during(Step::Fork)?;
    let guard_pid = std::process::id();
    let reducer = match process::fork().during(Step::Fork)? {
        Birth::Child => {
            let belongings = reduce::Belongings { report, directory, status, declared };
            reduce::run(&instructions, belongings, guard_pid)
        }
        Birth::Parent { child } => child,
    };
    // All the reducer's: an end that the guard kept would never close.
    drop((report, directory, status, declared));
    let Some(answer) = await_answer(&answers, &picket).during(Step::Fork)? else {
        return Ok(None);
    };
    process::reap(reducer).during(Step::Fork)?;
    let child = match Report::decode(&answer.bytes).during(Step::Reducer)? {
        Report::Cloned { child } => child,
        Report::Failed { step, errno } => {
            return Err(Fault { step, source: io::Error::from_raw_os_error(errno) });
        }
        Report::Exited { .. } | Report::Unattended => return Err(Malformed).during(Step::Reducer),
    };
    let sandbox = PathBuf::from(paths::from_c(&instructions.sandbox));
    let belongings = guard::Belongings { picket, controls, pulse, lock };
    let guard = Guard::new(child, belongings, sandbox, instructions.orphan);
    Ok(Some((guard.during(Step::Guard)?, child, answer.descriptors.into_iter().next())))
}

fn receive(control: &OwnedFd) -> io::Result<Option<(Instructions, Parcel)>> {
    let Some(message) = channel::receive(control.as_fd(), true)? else {
        return Ok(None);
    };
    let mut rest = message.descriptors.into_iter();
    let mut next = || rest.next().ok_or(Malformed);
    let instructions = next()?;
    let picket = next()?;
    let lock = next()?;
    let controls = Controls::from_descriptors([next()?, next()?, next()?]);
    let pulse = Pulse::from_descriptor(next()?);
    let directory = next()?;
    let status = next()?;
    let declared: Vec<OwnedFd> = rest.collect();
    let instructions = Instructions::decode(&channel::contents(instructions, MAX_INSTRUCTIONS)?)?;
    if instructions.numbers.len() != declared.len() {
        return Err(Malformed.into());
    }
    Ok(Some((instructions, Parcel { picket, lock, controls, pulse, directory, status, declared })))
}

/// Reads what the reducer has to say; `None` when Picket died first, in which case the reducer
/// dies with this process.
fn await_answer(answers: &OwnedFd, picket: &OwnedFd) -> io::Result<Option<Received>> {
    let watched = [(answers.as_fd(), libc::POLLIN), (picket.as_fd(), libc::POLLIN)];
    let ready = sys::poll(&watched, None)?;
    if ready.first() == Some(&0) {
        return Ok(None);
    }
    // One message, not to the end: the frozen child holds a copy of the other end.
    Ok(Some(channel::receive(answers.as_fd(), true)?.ok_or(Malformed)?))
}
