//! A process of ours that does one thing inside a sandbox: a closure, run in a forked copy of this program.
//!
//! So a test holds in one place what is done and what must be seen of it, and nothing else happens in the sandbox: the
//! copy opens no library and reads no configuration. It keeps no descriptor of ours but its end of the line to us.
#![expect(unsafe_code, reason = "fork(2) and what belongs to it have no safe wrapper in std")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::{Value, json};

/// An act takes this long only if it hangs. Guests run on emulated processors that they share.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that waits for its word to act. Dropping it kills it.
pub(crate) struct Actor {
    pid: libc::pid_t,
    line: BufReader<UnixStream>,
}

impl Actor {
    /// Starts the process; it does nothing before [`Actor::act`].
    pub(crate) fn start(act: impl FnOnce() -> Value) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        // SAFETY: the copy runs only `play`, which never returns. What other threads held locked is the C library's,
        // which unlocks it in the copy, or is not used there.
        let pid = unsafe { libc::fork() };
        assert!(0 <= pid, "fork: {}", std::io::Error::last_os_error());
        if pid == 0 {
            play(theirs, act);
        }
        Self { pid, line: BufReader::new(ours) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Lets it act, and answers what it has to tell once it is done. It stays, waiting for its end.
    pub(crate) fn act(&mut self) -> Value {
        self.begin();
        self.finish()
    }

    /// Lets it act, without waiting.
    pub(crate) fn begin(&mut self) {
        self.line.get_mut().write_all(b"act\n").unwrap();
    }

    /// Waits until it is done.
    pub(crate) fn finish(&mut self) -> Value {
        let mut answer = String::new();
        self.line.read_line(&mut answer).unwrap_or_else(|error| panic!("the actor: {error}"));
        let answer: Value = serde_json::from_str(&answer)
            .unwrap_or_else(|_| panic!("the actor ended instead of telling: {}", self.wait()));
        if let Some(complaint) = answer.get("panicked") {
            panic!("in the actor: {complaint}");
        }
        answer["told"].clone()
    }

    /// Waits for the end of a process that ends by its own act; as `waitpid` tells it.
    pub(crate) fn wait(&mut self) -> i32 {
        let mut status = 0;
        // SAFETY: our child's number and a place for its status.
        let waited = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!(waited, self.pid, "waitpid: {}", std::io::Error::last_os_error());
        self.pid = 0;
        status
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        if self.pid != 0 {
            // SAFETY: our own child, not waited for yet, so the number is still its.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            self.wait();
        }
    }
}

/// The copy's whole life.
fn play(line: UnixStream, act: impl FnOnce() -> Value) -> ! {
    // SAFETY: two numbers. A copy must not outlive the test that made it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let mut line = keep_only(line);
    let mut word = [0; 4];
    if line.read_exact(&mut word).is_ok() {
        let answer = match catch_unwind(AssertUnwindSafe(act)) {
            Ok(told) => json!({ "told": told }),
            Err(panic) => json!({ "panicked": words_of(&*panic) }),
        };
        // Whoever does not listen any more has failed already.
        drop(writeln!(line, "{answer}"));
        drop(line.read_to_end(&mut Vec::new()));
    }
    // SAFETY: ends the copy at once, without what this program does at its end.
    unsafe { libc::_exit(0) }
}

/// Closes every descriptor but the line, standard ones excepted.
fn keep_only(line: UnixStream) -> UnixStream {
    const KEPT: libc::c_int = 3;
    let line = OwnedFd::from(line);
    // SAFETY: two numbers; what had the number 3 is not used by the copy.
    unsafe { libc::dup3(line.as_raw_fd(), KEPT, libc::O_CLOEXEC) };
    // The number is closed below.
    std::mem::forget(line);
    // SAFETY: numbers only; nothing of the copy uses what is behind them.
    unsafe { libc::close_range(KEPT.cast_unsigned() + 1, u32::MAX, 0) };
    // SAFETY: just made, owned by nobody else.
    UnixStream::from(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(KEPT) })
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
