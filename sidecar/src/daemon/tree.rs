//! The part of the cgroup tree in which something can match: walked, then followed as it changes.
//!
//! A directory is watched before it is listed, so that what is made in it in between is told, listed, or both. What
//! the outermost match contains belongs to it and is not looked at.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use picket_engine::Pattern;
use rustix::fs::inotify::{ReadFlags, WatchFlags};

use super::inotify::{Event, Inotify};
use crate::kubernetes::Container;

/// Directories looked at in one walk, and levels below the mount. A tree beyond either is not one that people made.
const DIRECTORIES: usize = 65_536;
const DEPTH: usize = 64;

/// Where to look and where not to. Paths are from the cgroup2 mount on, and begin with `/`.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Where cgroup2 is mounted.
    pub(super) mount: PathBuf,
    /// What is looked for.
    pub(super) patterns: Arc<[Pattern]>,
    /// The sandboxes that a Picket starts itself: judged by whoever started them.
    pub(super) home: PathBuf,
    /// The cgroup that this process is in: it must not freeze itself.
    pub(super) own: PathBuf,
    /// Whose containers are looked for, too.
    pub(super) containers: Option<Containers>,
}

/// Containers of Kubernetes, whatever their cgroups are called.
#[derive(Clone, Debug)]
pub(super) enum Containers {
    /// All there are.
    All,
    /// Those below this pod's cgroup: the path, and the id that no other cgroup gets.
    Of { pod: PathBuf, id: u64 },
}

/// One difference between the tree and what was known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Appeared(PathBuf),
    Gone(PathBuf),
}

/// What is known of the tree.
#[derive(Debug)]
pub(super) struct Tree {
    scope: Scope,
    inotify: Inotify,
    watched: BTreeMap<i32, PathBuf>,
    /// Matches and their inodes.
    known: BTreeMap<PathBuf, u64>,
    /// Directories that may still be looked at in this walk.
    left: usize,
}

impl Tree {
    pub(super) fn new(scope: Scope) -> io::Result<Self> {
        let inotify = Inotify::new()?;
        Ok(Self { scope, inotify, watched: BTreeMap::new(), known: BTreeMap::new(), left: 0 })
    }

    pub(super) fn inotify(&self) -> &Inotify {
        &self.inotify
    }

    /// Looks for something else from the next walk on.
    pub(super) fn look_for(&mut self, patterns: Arc<[Pattern]>) {
        self.scope.patterns = patterns;
    }

    /// Walks the whole tree. What is gone comes first: a match may take the place of one below it.
    pub(super) fn walk(&mut self) -> Vec<Change> {
        self.left = DIRECTORIES;
        let mut found = BTreeMap::new();
        self.visit(Path::new("/"), 0, &mut found);
        if self.left == 0 {
            tracing::error!(
                limit = DIRECTORIES,
                "more cgroups than are looked at: the rest is not watched"
            );
        }
        let mut changes: Vec<Change> = Vec::new();
        for (path, inode) in &self.known {
            if found.get(path) != Some(inode) {
                changes.push(Change::Gone(path.clone()));
            }
        }
        for (path, inode) in &found {
            if self.known.get(path) != Some(inode) {
                changes.push(Change::Appeared(path.clone()));
            }
        }
        self.known = found;
        changes
    }

    /// Takes what happened; `None` when that is not all of it and the tree must be walked.
    pub(super) fn follow(&mut self, events: Vec<Event>) -> Option<Vec<Change>> {
        let mut changes = Vec::new();
        self.left = DIRECTORIES;
        for Event { watch, what, name } in events {
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                return None;
            }
            if what.contains(ReadFlags::IGNORED) {
                self.watched.remove(&watch);
            }
            let Some(path) = self.watched.get(&watch).zip(name).map(|(dir, name)| dir.join(name))
            else {
                continue;
            };
            if !what.contains(ReadFlags::ISDIR) {
                continue;
            }
            if what.contains(ReadFlags::DELETE) {
                self.lose(&path, &mut changes);
            } else {
                self.gain(&path, &mut changes);
            }
        }
        Some(changes)
    }

    fn lose(&mut self, path: &Path, changes: &mut Vec<Change>) {
        // A cgroup of the same name may be there again; its making is told after this.
        if self.known.remove(path).is_some() {
            changes.push(Change::Gone(path.to_owned()));
        }
    }

    fn gain(&mut self, path: &Path, changes: &mut Vec<Change>) {
        let mut found = BTreeMap::new();
        self.visit(path, path.components().count() - 1, &mut found);
        for (path, inode) in found {
            match self.known.insert(path.clone(), inode) {
                Some(known) if known == inode => continue,
                Some(_) => changes.push(Change::Gone(path.clone())),
                None => {}
            }
            changes.push(Change::Appeared(path));
        }
    }

    /// Collects the outermost matches at and below `path`. What disappears meanwhile is passed over.
    fn visit(&mut self, path: &Path, depth: usize, found: &mut BTreeMap<PathBuf, u64>) {
        if self.left == 0 || DEPTH < depth || path == self.scope.home {
            return;
        }
        self.left -= 1;
        let place = self.scope.place(path);
        if self.scope.means(path) {
            if self.scope.own.starts_with(path) {
                // Its own container is found by nobody's mistake.
                if self.scope.has_rule(path) {
                    tracing::error!(
                        "a rule means the cgroup that Picket itself is in: it is not watched"
                    );
                }
            } else if let Ok(metadata) = fs::metadata(&place) {
                found.insert(path.to_owned(), metadata.ino());
            }
            return;
        }
        if !self.scope.may_contain(path) {
            return;
        }
        // The order is the point; see the module.
        match self.inotify.watch(&place, WatchFlags::CREATE | WatchFlags::DELETE) {
            Ok(watch) => drop(self.watched.insert(watch, path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::error!(%error, "a cgroup directory cannot be watched (fs.inotify.max_user_watches?): \
                                         what is made in it is found by the periodic scan only");
            }
        }
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.visit(&path.join(entry.file_name()), depth + 1, found);
            }
        }
    }
}

impl Scope {
    /// Where a cgroup's directory is.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        self.mount.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn means(&self, path: &Path) -> bool {
        self.has_rule(path) || self.has_container(path)
    }

    fn has_container(&self, path: &Path) -> bool {
        let ours = match &self.containers {
            None => false,
            Some(Containers::All) => true,
            Some(Containers::Of { pod, id }) => {
                path.starts_with(pod)
                    && fs::metadata(self.place(pod)).is_ok_and(|found| found.ino() == *id)
            }
        };
        ours && Container::at(path.as_os_str().as_bytes()).is_some()
    }

    fn has_rule(&self, path: &Path) -> bool {
        let bytes = path.as_os_str().as_bytes();
        self.patterns.iter().any(|pattern| pattern.matches(bytes))
    }

    /// Whether a match can be below `path`. May say yes too often, never no.
    fn may_contain(&self, path: &Path) -> bool {
        let bytes = path.as_os_str().as_bytes();
        let containers = match &self.containers {
            None => false,
            Some(Containers::All) => Container::may_be_below(bytes),
            Some(Containers::Of { pod, .. }) => {
                pod.starts_with(path) || path.starts_with(pod) && Container::may_be_below(bytes)
            }
        };
        containers || self.patterns.iter().any(|pattern| may_contain(&pattern.to_string(), path))
    }
}

fn may_contain(pattern: &str, path: &Path) -> bool {
    let mut segments = pattern.split('/').filter(|segment| !segment.is_empty());
    for name in path.as_os_str().as_bytes().split(|byte| *byte == b'/') {
        if name.is_empty() {
            continue;
        }
        match segments.next() {
            None => return false,
            Some("**") => return true,
            // A star, or the escape of one: not compared.
            Some(segment) if segment.contains(['*', '\\']) => {}
            Some(segment) if segment.as_bytes() == name => {}
            Some(_) => return false,
        }
    }
    segments.next().is_some()
}

#[cfg(test)]
mod tests;
