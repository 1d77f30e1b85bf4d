//! Hears of the calls a sandbox's filter holds, one at a time, and answers each with a refusal.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use picket_engine::{KernelTime, Process, SyscallAbi};

use super::super::proc_status::{Stat, Status};
use super::super::sys::seccomp;

const X32_BIT: u32 = 1 << 30;
/// `/proc` counts in hundredths of a second, whatever the kernel's own tick is.
const NANOS_PER_TICK: u64 = 10_000_000;

/// The end of a sandbox's filter at which its refused calls are heard. Once the last copy is
/// dropped, the kernel answers them by itself, with ENOSYS.
#[derive(Clone, Debug)]
pub struct Listener(Arc<OwnedFd>);

/// A call that is held. It neither runs nor returns before [`Attempt::refuse`].
#[derive(Debug)]
pub struct Attempt {
    listener: Arc<OwnedFd>,
    id: u64,
    /// Its number in `abi`.
    pub number: u32,
    /// Which table the number counts in.
    pub abi: SyscallAbi,
    /// As they were in the registers.
    pub arguments: [u64; 6],
    /// Which task holds still for it. Its start is known to a hundredth of a second, and is
    /// [`KernelTime::BOOT`] if it was gone before it could be looked at.
    pub process: Process,
}

impl Listener {
    pub(in super::super) fn new(listener: OwnedFd) -> Self {
        Self(Arc::new(listener))
    }

    /// To be polled for `POLLIN`. `POLLHUP`: nobody is left who could call.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The next held call; to be asked when the descriptor is readable. `None`: it is not held any
    /// more, for its task was killed or frozen meanwhile; what is frozen asks again when thawed.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn hear(&self) -> io::Result<Option<Attempt>> {
        let held = match seccomp::receive(self.0.as_fd()) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            outcome => outcome?,
        };
        let unknown = Process { tgid: held.task, tid: held.task, start: KernelTime::BOOT };
        let process = identity(held.task);
        // After the look: the number meant this task all the time, or the look is worth nothing.
        let process = process.filter(|_| seccomp::is_held(self.0.as_fd(), held.id));
        Ok(Some(Attempt {
            listener: Arc::clone(&self.0),
            id: held.id,
            number: held.number,
            abi: abi(held.architecture, held.number),
            arguments: held.arguments,
            process: process.unwrap_or(unknown),
        }))
    }
}

impl Attempt {
    /// Lets the call return, with EPERM. To be called when all that is to be done about it before
    /// its caller goes on has been done.
    ///
    /// # Errors
    /// The kernel does not take the answer. A caller that is gone is no error.
    pub fn refuse(self) -> io::Result<()> {
        match seccomp::answer(self.listener.as_fd(), self.id, libc::EPERM) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            outcome => outcome,
        }
    }
}

fn abi(architecture: u32, number: u32) -> SyscallAbi {
    match architecture {
        seccomp::X86_64 if number & X32_BIT != 0 => SyscallAbi::X32,
        seccomp::X86_64 => SyscallAbi::Native,
        _ => SyscallAbi::Ia32,
    }
}

fn identity(task: u32) -> Option<Process> {
    let read = |file| fs::read(format!("/proc/{task}/{file}")).ok();
    let tgid = Status::group(&read("status")?)?;
    let start = Stat::parse(&read("stat")?)?.start_ticks.saturating_mul(NANOS_PER_TICK);
    Some(Process { tgid, tid: task, start: KernelTime::from_nanos(start) })
}
