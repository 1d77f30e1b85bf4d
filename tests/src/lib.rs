//! What the whole-product tests share: the program under test, names nobody else has, waiting.
//!
//! A test that cannot run fails by name and says what it lacks; it never passes by being skipped.
#![expect(clippy::panic, reason = "a test that cannot run, or waited in vain, must fail by name")]

pub mod meddle;
pub mod runs;

use std::env;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take to come true. Generous: guests run on emulated processors, and
/// a test that passes never waits this long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at a condition.
const GLANCE: Duration = Duration::from_millis(1);

/// The `picket` program under test.
///
/// # Panics
/// If nobody said which one it is.
#[must_use]
pub fn picket_program() -> PathBuf {
    let Some(program) = env::var_os("PICKET_BIN") else {
        panic!("PICKET_BIN names no picket program; run these tests by `cargo xtask test kernel`");
    };
    PathBuf::from(program)
}

/// A command that runs the `picket` under test.
#[must_use]
pub fn picket() -> Command {
    Command::new(picket_program())
}

/// Fails the calling test unless it runs as root.
///
/// # Panics
/// If it does not, with what root is needed for.
#[track_caller]
pub fn require_root(reason: &str) {
    let owner = std::fs::metadata("/proc/self").map(|own| own.uid());
    assert!(
        matches!(owner, Ok(0)),
        "this test needs root ({reason}); run `cargo xtask test kernel` as root"
    );
}

/// A name that no other test uses, in this process or beside it.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{number}", std::process::id())
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it still does not hold after [`PATIENCE`], naming `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits until `attempt` gives something.
///
/// # Panics
/// If it still gives nothing after [`PATIENCE`], naming `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        // Parked, not asleep: nothing unparks this thread, so it looks again after a glance.
        thread::park_timeout(GLANCE);
    }
}
