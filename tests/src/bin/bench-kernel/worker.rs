//! A process that acts when told and says what CPU time it took: forked before anything else, pinned to a processor.
#![expect(
    unsafe_code,
    reason = "fork(2), processor clocks and affinity have no safe wrapper in std"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::rows::{Props, Row, call};
use crate::seccomp;
use crate::statistics::{Nanos, least};

/// Samples of a round; one more goes before them, so that what is new has been seen.
const SAMPLES: u32 = 3;

/// Byte that asks for a flood instead of a row.
const FLOOD: u8 = u8::MAX;

/// Byte that asks to go on under a filter.
const CONFINE: u8 = u8::MAX - 1;

/// Calls of a flood between two of the danger set, which are reported each time.
const SPELL: u64 = 4_096;

/// Spells in a million calls, nearly.
const SPELLS: u64 = 244;

/// Dropping it ends it.
pub(crate) struct Worker {
    pid: libc::pid_t,
    line: UnixStream,
}

/// What an operation takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// Of the process that does it.
    pub(crate) cpu: Nanos,
    /// By the clock on the wall.
    pub(crate) elapsed: Nanos,
}

/// What a flood has made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flooded {
    /// System calls, from the order to the wait for the next one.
    pub(crate) calls: u64,
    /// Of them, calls of the danger set.
    pub(crate) dangerous: u64,
}

impl Worker {
    /// Forks it. To be called while this process has one thread.
    pub(crate) fn start(processor: usize) -> Outcome<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        // SAFETY: one thread only, so the copy may do whatever this process may.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        if pid == 0 {
            drop(ours);
            let code = i32::from(work(theirs, processor).is_err());
            // SAFETY: ends the copy without what this program does at its end.
            unsafe { libc::_exit(code) };
        }
        Ok(Self { pid, line: ours })
    }

    /// Moves it into a cgroup.
    pub(crate) fn enter(&self, cgroup: &Path) -> Outcome {
        Ok(fs::write(cgroup.join("cgroup.procs"), self.pid.to_string())?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Time of one operation: the smallest of the samples.
    pub(crate) fn measure(&mut self, row: Row) -> Outcome<Time> {
        let index = Row::ALL.iter().position(|one| *one == row).ok_or("no such row")?;
        self.line.write_all(&[u8::try_from(index)?, 0])?;
        let mut nanos = || -> Outcome<Nanos> {
            let mut answer = [0; 8];
            self.line.read_exact(&mut answer).map_err(|_| format!("{}: failed", row.name()))?;
            Ok(Nanos::from_ne_bytes(answer))
        };
        Ok(Time { cpu: nanos()?, elapsed: nanos()? })
    }

    /// Puts it under a filter of system calls, for the rest of its life.
    pub(crate) fn confine(&mut self) -> Outcome {
        self.line.write_all(&[CONFINE, 0])?;
        let refused = "a filter of system calls was refused";
        Ok(self.line.read_exact(&mut [0; 8]).map_err(|_| refused)?)
    }

    /// Begins to make so many million calls at full speed.
    pub(crate) fn begin_flood(&mut self, millions: u8) -> Outcome {
        Ok(self.line.write_all(&[FLOOD, millions])?)
    }

    /// Waits for the end of the flood.
    pub(crate) fn end_flood(&mut self) -> Outcome<Flooded> {
        let mut answer = [0; 8];
        self.line.read_exact(&mut answer)?;
        let spells = u64::from_ne_bytes(answer);
        // The answer's write, and the read of the next order.
        Ok(Flooded { calls: spells * (SPELL + 1) + 2, dangerous: spells })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: our own child, not waited for yet, so the number is still its.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        // SAFETY: as above; its status is not asked for.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

fn work(mut line: UnixStream, processor: usize) -> Outcome {
    // SAFETY: two numbers. A copy must not outlive the benchmark.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    pin(processor);
    let props = Props::new()?;
    let mut order = [0; 2];
    while line.read_exact(&mut order).is_ok() {
        let [word, millions] = order;
        if word == FLOOD {
            line.write_all(&flood(u64::from(millions)).to_ne_bytes())?;
            continue;
        }
        if word == CONFINE {
            seccomp::confine()?;
            line.write_all(&[0; 8])?;
            continue;
        }
        let row = *Row::ALL.get(usize::from(word)).ok_or("no such row")?;
        let times = row.operations();
        props.act(row, times)?;
        let (mut cpu, mut elapsed) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            let (before, begun) = (cpu_time(), Instant::now());
            props.act(row, times)?;
            elapsed.push(begun.elapsed().as_nanos() as Nanos / Nanos::from(times));
            cpu.push((cpu_time() - before) / Nanos::from(times));
        }
        line.write_all(&least(cpu.into_iter()).to_ne_bytes())?;
        line.write_all(&least(elapsed.into_iter()).to_ne_bytes())?;
    }
    Ok(())
}

/// Answers how many spells it made.
fn flood(millions: u64) -> u64 {
    let spells = millions * SPELLS;
    for _ in 0..spells {
        for _ in 0..SPELL {
            call(libc::SYS_getppid, [0; 4]);
        }
        // No such request: it is of no effect, and of the danger set.
        call(libc::SYS_ptrace, [0xdead, 0, 0, 0]);
    }
    spells
}

/// CPU time of this process and of its children that have ended, in nanoseconds.
fn cpu_time() -> Nanos {
    let mut own = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a number and a place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut own) };
    // SAFETY: all zeros is a value of this plain structure.
    let mut children: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a number and a place for the answer.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut children) };
    let micros = |time: libc::timeval| time.tv_sec as Nanos * 1e6 + time.tv_usec as Nanos;
    let of_children = micros(children.ru_utime) + micros(children.ru_stime);
    own.tv_sec as Nanos * 1e9 + own.tv_nsec as Nanos + of_children * 1e3
}

/// A figure must not depend on which processor was free.
fn pin(processor: usize) {
    // SAFETY: all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the processor's number is below the set's size: it is one of this machine.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: the calling process, a set and its size. Where it is refused figures are less steady, not wrong.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
}
