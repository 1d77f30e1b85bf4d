//! The kubelet's directories of logs, read for the names in them: as a whole, then as they change.

use std::{
    fs, io,
    os::{fd::RawFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::inotify::{ReadFlags, WatchFlags};

use super::inotify::{Event, Inotify};
use crate::kubernetes::Names;

/// What has been read, for whoever asks.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownNames(Arc<Mutex<Names>>);

impl KnownNames {
    pub(super) fn lock(&self) -> MutexGuard<'_, Names> {
        // Names are added and removed one at a time, so a panic leaves none half there.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Kubelet {
    pods: PathBuf,
    containers: PathBuf,
    inotify: Inotify,
    /// Numbers of the two watches.
    watches: (i32, i32),
    known: KnownNames,
}

impl Kubelet {
    /// Reads the directories below `logs` and begins to be told of changes.
    pub(super) fn open(logs: &Path) -> io::Result<Self> {
        let mut new = Self {
            pods: logs.join("pods"),
            containers: logs.join("containers"),
            inotify: Inotify::new()?,
            watches: (-1, -1),
            known: KnownNames::default(),
        };
        new.read()?;
        Ok(new)
    }

    pub(super) fn known(&self) -> KnownNames {
        self.known.clone()
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.inotify.descriptor()
    }

    /// Reads everything again; true when something is called otherwise. What cannot be read leaves the names as they
    /// were.
    pub(super) fn walk(&mut self) -> bool {
        match self.read() {
            Ok(changed) => changed,
            Err(error) => {
                tracing::error!(%error, "the kubelet's logs cannot be read: containers that start now get no name");
                false
            }
        }
    }

    fn read(&mut self) -> io::Result<bool> {
        let changes = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        // Watched before it is listed: what is made in between is told, listed, or both.
        let watch = |directory: &Path| {
            self.inotify.watch(directory, changes).map_err(|error| named(directory, &error))
        };
        self.watches = (watch(&self.pods)?, watch(&self.containers)?);
        let mut names = Names::default();
        each_in(&self.pods, |entry| names.pod(entry))?;
        each_in(&self.containers, |entry| names.container(entry))?;
        let mut known = self.known.lock();
        complain(known.refused(), names.refused());
        let changed = *known != names;
        *known = names;
        Ok(changed)
    }

    /// Takes what has happened; true when there may be a name that was not there.
    pub(super) fn follow(&mut self) -> io::Result<bool> {
        let events = self.inotify.read()?;
        let lost = ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED;
        if events.iter().any(|event| event.what.intersects(lost)) {
            return Ok(self.walk());
        }
        let mut known = self.known.lock();
        let refused = known.refused();
        for Event { watch, what, name } in &events {
            let Some(entry) = name.as_deref().map(OsStrExt::as_bytes) else { continue };
            let is_gone = what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
            match (*watch == self.watches.0, is_gone) {
                (true, false) => known.pod(entry),
                (true, true) => known.pod_gone(entry),
                (false, false) => known.container(entry),
                (false, true) => known.container_gone(entry),
            }
        }
        complain(refused, known.refused());
        Ok(!events.is_empty())
    }
}

fn each_in(directory: &Path, mut see: impl FnMut(&[u8])) -> io::Result<()> {
    for entry in fs::read_dir(directory).map_err(|error| named(directory, &error))? {
        see(entry.map_err(|error| named(directory, &error))?.file_name().as_bytes());
    }
    Ok(())
}

fn named(directory: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
}

fn complain(before: u64, now: u64) {
    if before < now {
        tracing::warn!(
            refused = now,
            "entries in the kubelet's logs that are no names of pods or containers, or too many"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kubernetes::{Container, Named},
        poll,
    };

    const UID: &str = "0a1b2c3d-0001-0002-0003-0123456789ab";

    struct Logs(tempfile::TempDir);

    impl Logs {
        fn new() -> Self {
            let logs = Self(tempfile::tempdir().unwrap());
            for directory in ["pods", "containers"] {
                fs::create_dir(logs.path(directory)).unwrap();
            }
            logs
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn pod(&self) {
            fs::create_dir(self.path(&format!("pods/shop_web-0_{UID}"))).unwrap();
        }

        fn link(&self) {
            let link = format!("containers/web-0_shop_app-{}.log", id());
            std::os::unix::fs::symlink("/nowhere", self.path(&link)).unwrap();
        }
    }

    fn id() -> String {
        "7".repeat(64)
    }

    fn name(kubelet: &Kubelet) -> Named {
        let path = format!("/kubepods/pod{UID}/{}", id());
        kubelet.known().lock().of(&Container::at(path.as_bytes()).unwrap())
    }

    fn told(kubelet: &mut Kubelet) -> bool {
        assert!(
            poll::readable(&[kubelet.descriptor()], std::time::Duration::from_secs(10)).unwrap()
        );
        kubelet.follow().unwrap()
    }

    #[test]
    fn names_are_known_that_were_there_and_told_that_come_and_go() {
        let logs = Logs::new();
        logs.pod();
        let mut kubelet = Kubelet::open(logs.0.path()).unwrap();
        assert!(matches!(name(&kubelet), Named::Pod { .. }));
        logs.link();
        assert!(told(&mut kubelet));
        assert!(matches!(name(&kubelet), Named::Fully { .. }));
        assert!(!kubelet.walk(), "a walk finds what was told");
        fs::remove_file(logs.path(&format!("containers/web-0_shop_app-{}.log", id()))).unwrap();
        fs::remove_dir(logs.path(&format!("pods/shop_web-0_{UID}"))).unwrap();
        told(&mut kubelet);
        assert_eq!(name(&kubelet), Named::Not);
    }

    #[test]
    fn directories_that_were_replaced_are_read_again() {
        let logs = Logs::new();
        let mut kubelet = Kubelet::open(logs.0.path()).unwrap();
        fs::remove_dir(logs.path("containers")).unwrap();
        // Nothing to read for the moment: what is known stays.
        assert!(!told(&mut kubelet));
        fs::create_dir(logs.path("containers")).unwrap();
        logs.pod();
        logs.link();
        assert!(kubelet.walk());
        assert!(matches!(name(&kubelet), Named::Fully { .. }));
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let logs = Logs::new();
        fs::remove_dir(logs.path("pods")).unwrap();
        let error = Kubelet::open(logs.0.path()).unwrap_err().to_string();
        assert!(error.contains(logs.path("pods").to_str().unwrap()), "{error}");
    }
}
