//! Tells when one of the configuration's files may have changed.
//!
//! Their directories are watched, not the files: editors put a new file in place of the old one, and Kubernetes swaps
//! a symbolic link beside them (`..data`). Where one of them is a directory, whatever happens in it may matter.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::fs::inotify::WatchFlags;
use tokio::sync::mpsc as news;

use super::inotify::Inotify;
use crate::poll;

/// Changes that follow each other this closely are one.
const SETTLED: Duration = Duration::from_millis(100);

/// Without anything to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The thread, from outside. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct FileWatch {
    files: mpsc::Sender<BTreeSet<PathBuf>>,
    wake: PipeWriter,
}

impl FileWatch {
    /// What comes out says only that something happened.
    pub(super) fn start(files: BTreeSet<PathBuf>) -> io::Result<(Self, news::Receiver<()>)> {
        let (sender, inbox) = mpsc::channel();
        let (woken, wake) = io::pipe()?;
        let (outbox, receiver) = news::channel(1);
        let mut eye = Eye::open(&files)?;
        let mut run = move || -> io::Result<()> {
            loop {
                let mut entries = [eye.inotify.descriptor(), woken.as_raw_fd()]
                    .map(|fd| poll::entry(fd, libc::POLLIN));
                poll::poll(&mut entries, PATIENCE)?;
                let [_, rung] = entries;
                if rung.revents != 0 && !drain(&woken)? {
                    return Ok(());
                }
                let mut changed = false;
                if let Some(files) = inbox.try_iter().last() {
                    // Open before the former is read for the last time: no edit falls between the two.
                    let next = Eye::open(&files)?;
                    changed = eye.has_changed()?;
                    eye = next;
                }
                changed |= eye.has_changed()?;
                while changed && poll::readable(&[eye.inotify.descriptor()], SETTLED)? {
                    changed |= eye.has_changed()?;
                }
                // One that waits already says the same.
                if changed
                    && matches!(outbox.try_send(()), Err(news::error::TrySendError::Closed(())))
                {
                    return Ok(());
                }
            }
        };
        thread::Builder::new().name("picket-files".to_owned()).spawn(move || {
            if let Err(error) = run() {
                tracing::error!(%error, "the configuration's directories are not watched any more; SIGHUP still works");
            }
        })?;
        Ok((Self { files: sender, wake }, receiver))
    }

    /// Watches these instead.
    pub(super) fn follow(&mut self, files: BTreeSet<PathBuf>) {
        if self.files.send(files).is_ok() {
            drop(self.wake.write_all(b"."));
        }
    }
}

fn drain(mut woken: &PipeReader) -> io::Result<bool> {
    let mut bytes = [0; 64];
    Ok(0 < woken.read(&mut bytes)?)
}

/// The directories, and the names that matter in each.
struct Eye {
    inotify: Inotify,
    names: BTreeMap<i32, BTreeSet<OsString>>,
    /// Directories in which every name matters.
    whole: BTreeSet<i32>,
}

impl Eye {
    fn open(files: &BTreeSet<PathBuf>) -> io::Result<Self> {
        let inotify = Inotify::new()?;
        let mut names: BTreeMap<i32, BTreeSet<OsString>> = BTreeMap::new();
        let mut whole = BTreeSet::new();
        let really = files.iter().filter_map(|file| file.canonicalize().ok());
        let all: BTreeSet<PathBuf> = files.iter().cloned().chain(really).collect();
        for file in &all {
            if file.is_dir() {
                match inotify.watch(file, changes()) {
                    Ok(watch) => drop(whole.insert(watch)),
                    Err(error) => complain(file, &error),
                }
            }
            let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
                continue;
            };
            match inotify.watch(directory, changes()) {
                Ok(watch) => drop(names.entry(watch).or_default().insert(name.to_owned())),
                Err(error) => complain(directory, &error),
            }
        }
        Ok(Self { inotify, names, whole })
    }

    fn has_changed(&self) -> io::Result<bool> {
        let events = self.inotify.read()?;
        Ok(events.iter().any(|event| match (&event.name, self.names.get(&event.watch)) {
            _ if self.whole.contains(&event.watch) => true,
            (Some(name), Some(names)) => names.contains(name) || is_swap(name),
            // An overflow, or the directory itself is gone.
            _ => true,
        }))
    }
}

fn changes() -> WatchFlags {
    WatchFlags::CLOSE_WRITE | WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE
}

fn is_swap(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"..")
}

fn complain(directory: &Path, error: &io::Error) {
    let directory = directory.display();
    tracing::error!(%error, %directory, "changes of the configuration here are noticed by SIGHUP only");
}

#[cfg(test)]
mod tests;
