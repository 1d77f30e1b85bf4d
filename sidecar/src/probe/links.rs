//! What holds the kernel programs in place: one link for each hook, and seven for each sandbox's sockets.
//!
//! They are kept here and not in the loader's object, because what is attached is looked at again as long as Picket
//! runs: anybody with the right to `bpf(2)` can detach a cgroup's link or put another program into it, and a debugger
//! can close any descriptor of ours. A link is sound when it is still the one that was made, still runs our program,
//! and still hangs where it was put.

mod cgroup;

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use aya::programs::links::{FdLink, LinkError};
pub(super) use cgroup::Kind as SocketHook;

use super::load::LoadError;

/// Levels below a sandbox's top cgroup that are looked through.
const DEPTH: usize = 32;

/// The socket hooks of one sandbox.
#[derive(Debug)]
#[must_use = "give it back when the sandbox ends"]
pub struct NetworkGuard {
    number: u64,
}

/// A program that is not attached any more as Picket attached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detached {
    /// Its name.
    pub hook: &'static str,
    /// The kernel's id of the cgroup, for a socket hook.
    pub cgroup: Option<u64>,
}

/// Every link.
#[derive(Default)]
pub struct Links {
    held: Mutex<Vec<Held>>,
    last: AtomicU64,
}

/// One hook, or one sandbox's.
struct Held {
    guard: Option<u64>,
    place: Option<Place>,
    links: Vec<Link>,
}

/// Where socket hooks hang.
struct Place {
    cgroup: u64,
    directory: OwnedFd,
}

struct Link {
    hook: &'static str,
    program: u32,
    number: u32,
    kind: Kind,
}

enum Kind {
    /// For everybody: a tracepoint's or an LSM hook's. Nobody else can take it off: it goes with our descriptor.
    Global(FdLink),
    /// At a cgroup.
    Cgroup(OwnedFd),
}

/// A link that cannot be looked at cannot be watched.
pub(super) fn kept(program: &'static str, kept: Result<(), LinkError>) -> Result<(), LoadError> {
    kept.map_err(|error| LoadError::Program { program, reason: error.to_string() })
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

impl Links {
    /// Keeps what a program is attached to everybody by. Dropping it detaches the program.
    pub(super) fn keep(&self, hook: &'static str, link: FdLink) -> Result<(), LinkError> {
        let info = link.info()?;
        let (program, number) = (info.program_id(), info.id());
        let link = Link { hook, program, number, kind: Kind::Global(link) };
        self.lock().push(Held { guard: None, place: None, links: vec![link] });
        Ok(())
    }

    /// Detaches a program that is attached to everybody.
    pub(super) fn let_go(&self, hook: &str) {
        let is_it = |held: &Held| held.links.iter().any(|link| link.hook == hook);
        self.lock().retain(|held| held.guard.is_some() || !is_it(held));
    }

    /// Attaches socket programs, each with its kind of attachment, to a cgroup. All of them or none.
    pub(super) fn attach<'a>(
        &self,
        programs: impl Iterator<Item = (&'static str, BorrowedFd<'a>, SocketHook)>,
        directory: BorrowedFd<'_>,
    ) -> Result<NetworkGuard, (&'static str, io::Error)> {
        let of_cgroup = |error| ("the cgroup's directory", error);
        let directory = directory.try_clone_to_owned().map_err(of_cgroup)?;
        let cgroup = rustix::fs::fstat(&directory).map_err(|error| of_cgroup(error.into()))?.st_ino;
        let mut links = Vec::new();
        for (hook, program, kind) in programs {
            let failed = |error| (hook, error);
            let link = cgroup::attach(program, directory.as_fd(), kind).map_err(failed)?;
            let found = cgroup::look(link.as_fd()).map_err(failed)?;
            links.push(Link {
                hook,
                program: found.program,
                number: found.link,
                kind: Kind::Cgroup(link),
            });
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let place = Some(Place { cgroup, directory });
        self.lock().push(Held { guard: Some(number), place, links });
        Ok(NetworkGuard { number })
    }

    /// Detaches the socket hooks of a sandbox that has ended.
    pub(crate) fn release(&self, guard: NetworkGuard) {
        self.lock().retain(|held| held.guard != Some(guard.number));
    }

    /// Detaches everything.
    pub(super) fn release_all(&self) {
        self.lock().clear();
    }

    /// Looks at every link; answers which are not sound. Those of a cgroup that has been removed went with it.
    pub(crate) fn unsound(&self) -> BTreeSet<Detached> {
        let held = self.lock();
        let of = |held: &Held| {
            let cgroup = held.place.as_ref().map(|place| place.cgroup);
            let mut broken: BTreeSet<Detached> = held
                .links
                .iter()
                .filter(|link| !link.is_sound(cgroup))
                .map(|link| Detached { hook: link.hook, cgroup })
                .collect();
            // In this order: a cgroup is gone before its links are.
            if held.place.as_ref().is_some_and(|place| !place.exists()) {
                broken.clear();
            }
            broken
        };
        held.iter().flat_map(of).collect()
    }

    /// Whether a cgroup is still there at or below one that socket hooks were attached to.
    pub(crate) fn is_there(&self, top: u64, cgroup: u64) -> bool {
        let held = self.lock();
        let place = held.iter().filter_map(|held| held.place.as_ref());
        let mut at_top = place.filter(|place| place.cgroup == top);
        at_top.any(|place| if top == cgroup { place.exists() } else { place.has_below(cgroup) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn is_sound(&self, cgroup: Option<u64>) -> bool {
        match &self.kind {
            Kind::Global(link) => link
                .info()
                .is_ok_and(|found| (found.id(), found.program_id()) == (self.number, self.program)),
            Kind::Cgroup(link) => cgroup::look(link.as_fd()).is_ok_and(|found| {
                (found.link, found.program) == (self.number, self.program)
                    && Some(found.cgroup) == cgroup
            }),
        }
    }
}

impl Place {
    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.directory.as_raw_fd()).into()
    }

    /// The directory of a removed cgroup stays open and is empty.
    fn exists(&self) -> bool {
        rustix::fs::accessat(
            &self.directory,
            "cgroup.procs",
            rustix::fs::Access::EXISTS,
            rustix::fs::AtFlags::empty(),
        )
        .is_ok()
    }

    fn has_below(&self, cgroup: u64) -> bool {
        has_below(&self.path(), cgroup, DEPTH)
    }
}

fn has_below(directory: &Path, cgroup: u64, depth: usize) -> bool {
    // One that goes meanwhile is none to look into.
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_directory
            && (entry.metadata().is_ok_and(|found| found.ino() == cgroup)
                || (0 < depth && has_below(&entry.path(), cgroup, depth - 1)))
    })
}
