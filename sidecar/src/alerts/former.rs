//! Whether the cgroup of an incident is still there.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Levels below the mount that are looked at.
const DEPTH: usize = 32;

/// Which of these cgroups are there, by the kernel's ids. `None` when the tree cannot be read: nothing is known then.
pub(super) fn present(mount: &Path, wanted: &BTreeSet<u64>) -> Option<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    let mut level: Vec<PathBuf> = vec![mount.to_owned()];
    fs::read_dir(mount).ok()?;
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        // What disappears meanwhile is not there.
        for entry in level.iter().flat_map(fs::read_dir).flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let id = entry.metadata().map(|metadata| metadata.ino());
            found.extend(id.ok().filter(|id| wanted.contains(id)));
            below.push(entry.path());
        }
        if below.is_empty() || found.len() == wanted.len() {
            break;
        }
        level = below;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_found_at_any_depth_until_it_is_removed() {
        let tree = tempfile::tempdir().unwrap();
        let deep = tree.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        let id = fs::metadata(&deep).unwrap().ino();
        let wanted = BTreeSet::from([id, u64::MAX]);
        assert_eq!(present(tree.path(), &wanted), Some(BTreeSet::from([id])));
        fs::remove_dir(&deep).unwrap();
        assert_eq!(present(tree.path(), &wanted), Some(BTreeSet::new()));
    }

    #[test]
    fn a_tree_that_cannot_be_read_says_nothing() {
        assert_eq!(present(Path::new("/no/such/tree"), &BTreeSet::new()), None);
    }
}
