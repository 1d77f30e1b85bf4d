//! From the declared files to what Landlock can be told: places in the file system, each with ways to use them.
//!
//! Landlock knows files and directories as they are when the plugin starts, and a rule for a directory is one for
//! everything below. Patterns say more than that, so what cannot be said is widened, never narrowed: what Landlock
//! refuses is surely undeclared, and what it lets through the hooks judge as always. Where widening would give
//! everything away, it is not done; those places are listed in `docs/confinement.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use picket_engine::{AccessSet, Pattern, Policy, SyscallSet};

/// Calls that Landlock refuses whoever lives behind its wall: mount, umount2, pivot_root, move_mount, fsconfig.
const MOUNTS: SyscallSet = SyscallSet::of(&[165, 166, 155, 429, 431]);

/// procfs makes its files anew when it is short of memory, so only its root stays the same.
const PROC: &str = "/proc";

/// Ways to use what is at, or below, a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Ways(u8);

impl Ways {
    pub(in super::super) const NONE: Self = Self(0);
    /// Reading files.
    pub(in super::super) const READ: Self = Self(1);
    /// Writing, making, removing and moving them.
    pub(in super::super) const WRITE: Self = Self(2);
    pub(in super::super) const EXECUTE: Self = Self(4);
    /// Reading directories.
    pub(in super::super) const LIST: Self = Self(8);

    pub(in super::super) const fn bits(self) -> u8 {
        self.0
    }

    /// `None`: bits that mean nothing.
    pub(in super::super) const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 16 { Some(Self(bits)) } else { None }
    }

    pub(in super::super) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(in super::super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn of(access: AccessSet) -> Self {
        let pairs = [
            (AccessSet::READ, Self::READ.and(Self::LIST)),
            (AccessSet::WRITE, Self::WRITE),
            // The kernel reads what it runs.
            (AccessSet::EXECUTE, Self::EXECUTE.and(Self::READ)),
        ];
        let given = pairs.into_iter().filter(|(one, _)| access.contains(*one));
        given.fold(Self::NONE, |ways, (_, more)| ways.and(more))
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A device, pipe or socket.
    Other,
    /// Nothing, or nothing that can be looked at.
    Nothing,
}

impl Stands {
    /// Looks, links followed.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        match path.metadata() {
            Ok(found) if found.is_dir() => Self::Directory,
            Ok(found) if found.is_file() => Self::File,
            Ok(_) => Self::Other,
            Err(_) => Self::Nothing,
        }
    }
}

/// What a plugin may do with files, as far as Landlock can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wall {
    pub(in super::super) rules: BTreeMap<PathBuf, Ways>,
}

impl Wall {
    /// Whether Landlock can stand around a plugin with these calls at all.
    pub(super) fn can_stand(calls: SyscallSet) -> bool {
        MOUNTS.numbers().all(|number| !calls.contains(number))
    }

    /// The wall around what a policy declares, and around the entry point, which somebody asked for by name.
    ///
    /// `idle`: patterns that say nothing about a place where nothing stands, instead of something about the nearest
    /// directory above it.
    pub fn around(
        policy: &Policy,
        entry: &Path,
        idle: &BTreeSet<Pattern>,
        look: impl Fn(&Path) -> Stands,
    ) -> Self {
        let mut draft = Draft::default();
        for rule in &policy.files {
            draft.grant(&rule.path, Ways::of(rule.access), idle.contains(&rule.path), &look);
        }
        for rule in &policy.exec {
            draft.grant(&rule.path, Ways::of(AccessSet::EXECUTE), false, &look);
            if let Some(interpreter) = &rule.interpreter {
                draft.grant(interpreter, Ways::of(AccessSet::EXECUTE), false, &look);
            }
        }
        draft.objects.add(entry.to_owned(), Ways::of(AccessSet::EXECUTE));
        draft.finish()
    }
}

/// Ways by place.
#[derive(Debug, Default)]
struct Rules(BTreeMap<PathBuf, Ways>);

impl Rules {
    fn add(&mut self, place: PathBuf, ways: Ways) {
        let known = self.0.entry(place).or_default();
        *known = known.and(ways);
    }
}

/// Rules on their way: of directories with all below, and of single objects.
#[derive(Debug, Default)]
struct Draft {
    trees: Rules,
    objects: Rules,
}

impl Draft {
    fn grant(
        &mut self,
        pattern: &Pattern,
        ways: Ways,
        idle: bool,
        look: &impl Fn(&Path) -> Stands,
    ) {
        let place = PathBuf::from(pattern.literal_prefix());
        if place.starts_with(PROC) {
            return self.trees.add(PROC.into(), ways);
        }
        match look(&place) {
            Stands::Directory if !pattern.is_literal() => self.trees.add(place, ways),
            // The directory itself and nothing in it.
            Stands::Directory if ways.contains(Ways::LIST) => self.trees.add(place, Ways::LIST),
            Stands::Directory => {}
            // Whoever may write a file may also remove it and make another.
            Stands::File if ways.contains(Ways::WRITE) => self.trees.add(above(&place), ways),
            Stands::File | Stands::Other => self.objects.add(place, ways),
            Stands::Nothing if idle => {}
            Stands::Nothing => {
                let mut there = above(&place);
                while look(&there) != Stands::Directory && there.parent().is_some() {
                    there = above(&there);
                }
                self.trees.add(there, ways);
            }
        }
    }

    fn finish(mut self) -> Wall {
        let writable = self.writable();
        let is_in = |place: &Path| writable.iter().any(|root| place.starts_with(root));
        // What the plugin may replace is another object then.
        let (within, apart) = self.objects.0.into_iter().partition(|(place, _)| is_in(place));
        self.objects = Rules(apart);
        let within: BTreeMap<PathBuf, Ways> = within;
        for (place, ways) in within {
            self.trees.add(above(&place), ways);
        }
        // The kernel opens a program's loader as it opens the program, and which file that is only the program says.
        let trees = self.trees.0.iter_mut().filter(|(place, _)| !is_in(place));
        for (_, ways) in trees.chain(&mut self.objects.0) {
            if ways.contains(Ways::READ) {
                *ways = ways.and(Ways::EXECUTE);
            }
        }
        self.level(&writable);
        for (place, ways) in self.objects.0 {
            self.trees.add(place, ways);
        }
        Wall { rules: self.trees.0 }
    }

    fn writable(&self) -> Vec<PathBuf> {
        let trees = self.trees.0.iter().filter(|(_, ways)| ways.contains(Ways::WRITE));
        trees.map(|(place, _)| place.clone()).collect()
    }

    /// Landlock lets nothing be moved to where more may be done with it, so wherever files may be moved the same may be
    /// done.
    fn level(&mut self, writable: &[PathBuf]) {
        let related = |place: &Path| {
            writable.iter().any(|root| place.starts_with(root) || root.starts_with(place))
        };
        let all = self.trees.0.iter().filter(|(place, _)| related(place));
        let all = all.fold(Ways::NONE, |all, (_, ways)| all.and(*ways));
        for root in writable {
            self.trees.add(root.clone(), all);
        }
    }
}

fn above(place: &Path) -> PathBuf {
    place.parent().unwrap_or(place).to_owned()
}

#[cfg(test)]
mod tests;
