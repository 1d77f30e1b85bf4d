//! Controllers that this host keeps in hierarchies of their own (cgroup v1), and the place of a sandbox in them.
//!
//! On such a host the unified tree has no controllers, so memory, I/O and tasks are counted only where a sandbox has a
//! cgroup of its own in theirs. What Picket makes gets one, below Picket's own, so that whatever limits Picket limits
//! the sandbox as well. Nothing is steered through them: they count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use super::cgroup::HOME;
use super::mounts::{self, Mount};

/// Controllers of which a sandbox gets a cgroup. Not the CPU's: a group is scheduled as one against its neighbours, and
/// the unified tree counts CPU time without it.
const GIVEN: [&str; 3] = ["memory", "pids", "blkio"];

/// The hierarchies of this host.
#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchies(Vec<Hierarchy>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    controllers: BTreeSet<String>,
    /// The directory that is mounted, as `/proc/<pid>/cgroup` names it.
    root: PathBuf,
    point: PathBuf,
}

/// Directories by controller.
pub(super) type Places = BTreeMap<String, PathBuf>;

impl Hierarchies {
    /// Those that are mounted where a path leads to; none on a unified host.
    pub(super) fn find() -> io::Result<Self> {
        Ok(Self::in_mountinfo(&fs::read("/proc/self/mountinfo")?))
    }

    fn in_mountinfo(text: &[u8]) -> Self {
        let mounts = mounts::parse(text);
        let found = mounts::reachable(&mounts, Mount::is_cgroup1).map(|mount| Hierarchy {
            controllers: mount.options.iter().cloned().collect(),
            root: mount.root.clone(),
            point: mount.point.clone(),
        });
        Self(found.collect())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a process is, by controller, as far as that is mounted. `text` is its `/proc/<pid>/cgroup`.
    fn places(&self, text: &str) -> Places {
        let mut places = Places::new();
        for line in text.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            for controller in controllers.split(',').filter(|name| !name.is_empty()) {
                let place = self.0.iter().find_map(|one| one.place(controller, Path::new(path)));
                places.extend(place.map(|place| (controller.to_owned(), place)));
            }
        }
        places
    }

    /// The cgroups that hold these processes and nobody else, by controller. Where others are with them there is none:
    /// what those use would be taken for the sandbox's.
    pub(super) fn of_all(&self, processes: &BTreeSet<u32>) -> Places {
        let texts = processes.iter().filter_map(|tgid| cgroups_of(&tgid.to_string()).ok());
        let each: Vec<Places> = texts.map(|text| self.places(&text)).collect();
        let Some((first, others)) = each.split_first() else { return Places::new() };
        let shared = first.iter().filter_map(|(controller, place)| {
            let mut common = place.clone();
            for other in others {
                let other = other.get(controller)?;
                while !other.starts_with(&common) {
                    common.pop();
                }
            }
            let hierarchy = self.0.iter().find(|one| one.controllers.contains(controller))?;
            let is_own = common != hierarchy.point
                && common.starts_with(&hierarchy.point)
                && members(&common).ok()?.is_subset(processes);
            is_own.then(|| (controller.clone(), common))
        });
        shared.collect()
    }
}

impl Hierarchy {
    fn place(&self, controller: &str, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.root).ok()?;
        let is_within = below.components().all(|part| matches!(part, Component::Normal(_)));
        (is_within && self.controllers.contains(controller)).then(|| self.point.join(below))
    }
}

/// The cgroups of one sandbox that Picket makes. Dropping it removes them; they must be empty by then.
#[derive(Debug, Default)]
pub(super) struct LegacyCgroups(Places);

impl LegacyCgroups {
    /// Makes them, those that can be made: a sandbox without is one of which less is counted.
    pub(super) fn create(name: &str) -> Self {
        let made = Hierarchies::find().and_then(|hierarchies| {
            if hierarchies.are_none() {
                return Ok(Places::new());
            }
            Ok(hierarchies.places(&cgroups_of("self")?))
        });
        let own = made.unwrap_or_else(|error| {
            tracing::warn!(%error, "where Picket is in the cgroup v1 hierarchies cannot be read");
            Places::new()
        });
        let mut cgroups = Self::default();
        for controller in GIVEN {
            let Some(own) = own.get(controller) else { continue };
            let path = own.join(HOME).join(name);
            match make(&path) {
                Ok(()) => drop(cgroups.0.insert(controller.to_owned(), path)),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%error, %path, "no cgroup v1 for the sandbox: what {controller} counts is not known");
                }
            }
        }
        cgroups
    }

    /// Puts a process in. Where that fails the sandbox has no cgroup.
    pub(super) fn enrol(&mut self, process: u32) {
        self.0.retain(|controller, path| {
            let written = fs::write(path.join("cgroup.procs"), process.to_string());
            if let Err(error) = &written {
                tracing::warn!(%error, path = %path.display(), "what {controller} counts of the sandbox is not known");
                remove(path);
            }
            written.is_ok()
        });
    }

    pub(super) fn places(&self) -> &Places {
        &self.0
    }
}

impl Drop for LegacyCgroups {
    fn drop(&mut self) {
        self.0.values().for_each(|path| remove(path));
    }
}

/// Removes what sandboxes have left behind of which the unified tree has nothing any more.
pub(super) fn sweep(is_there: impl Fn(&str) -> bool) {
    let own = Hierarchies::find()
        .and_then(|hierarchies| Ok(hierarchies.places(&cgroups_of("self")?)))
        .unwrap_or_default();
    for controller in GIVEN {
        let Some(home) = own.get(controller).map(|own| own.join(HOME)) else { continue };
        for entry in fs::read_dir(&home).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if super::sandbox::is_sandbox_name(&name) && !is_there(&name) {
                remove(&entry.path());
            }
        }
    }
}

fn cgroups_of(process: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{process}/cgroup"))
}

fn make(path: &Path) -> io::Result<()> {
    let directory = |path: &Path| match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    };
    path.parent().map_or(Ok(()), directory)?;
    match directory(path) {
        // The last of another Picket's sandboxes has just ended, and the home with it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), directory)?;
            directory(path)
        }
        outcome => outcome,
    }
}

/// Nobody can be told of a failure; what stays is empty, costs little and is swept later.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a cgroup v1 of a sandbox stays behind");
    }
    // The home goes with its last sandbox. It is busy while there is another.
    drop(path.parent().map(fs::remove_dir));
}

/// Processes in a cgroup and below it, by tgid.
fn members(cgroup: &Path) -> io::Result<BTreeSet<u32>> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs"))?;
    let mut members: BTreeSet<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(cgroup)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            members.extend(self::members(&entry.path())?);
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests;
