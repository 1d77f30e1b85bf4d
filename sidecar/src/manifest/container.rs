//! A manifest in a container, whose paths are those of the container's root.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::SystemTime,
};

use picket_engine::{ExecRule, FileId, FileRule, KernelTime, Policy};

use super::{
    Manifest,
    canonical::Reader,
    links::{ContainerRoot, Links},
    resolve::{Clock, files, protected},
};

/// What a manifest's paths mean in one container.
#[derive(Clone, Debug)]
pub struct Places {
    links: Links,
    exec: Vec<ExecRule>,
    files: Vec<FileRule>,
    protected: BTreeSet<FileId>,
}

impl Places {
    /// Puts them into a policy in which the paths are as written.
    pub fn put_into(&self, policy: &mut Policy) {
        policy.exec.clone_from(&self.exec);
        policy.files.clone_from(&self.files);
        // Those of the host stay: a volume may show them.
        policy.protected.extend(&self.protected);
    }
}

impl Manifest {
    /// Looks in the container's root for the places that the manifest names. A way that cannot be followed stays as
    /// written, and what is not there needs no protection.
    pub fn in_container(&self, root: &ContainerRoot, wall: SystemTime, boot: KernelTime) -> Places {
        let known = RefCell::new(BTreeMap::new());
        let read = |path: &Path| root.read(path, &mut known.borrow_mut());
        let (exec, files) = self.rules_by(&read, wall, boot);
        let protected = protected::in_container(&self.declared, root);
        Places { exec, files, protected, links: Links(known.into_inner()) }
    }

    /// The places of another manifest in the same container, by the links that are known: the container makes its own by
    /// now. Files are protected that were.
    pub fn in_same_container(&self, former: &Places, wall: SystemTime, boot: KernelTime) -> Places {
        let (exec, files) = self.rules_by(&|path: &Path| former.links.read(path), wall, boot);
        Places { exec, files, ..former.clone() }
    }

    fn rules_by(
        &self,
        read: Reader<'_>,
        wall: SystemTime,
        boot: KernelTime,
    ) -> (Vec<ExecRule>, Vec<FileRule>) {
        // As written where it cannot be followed, so there is nothing to complain of.
        let mut faults = Vec::new();
        files::rules(
            &self.declared,
            &Clock { wall, boot },
            files::Ways::InContainer(read),
            &mut faults,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::SystemTime};

    use picket_engine::AccessSet;

    use super::*;

    fn manifest(files: &str) -> Manifest {
        let text = format!("version: 1\nplugin: {{ name: p, version: 1 }}\nfiles: {files}\n");
        Manifest::parse("m.yaml", text.as_bytes()).unwrap()
    }

    fn reads(places: &Places, path: &Path) -> bool {
        let path = path.to_str().unwrap().as_bytes();
        places
            .files
            .iter()
            .any(|rule| rule.access.contains(AccessSet::READ) && rule.path.matches(path))
    }

    #[test]
    fn links_are_those_that_were_there_at_the_look_also_for_another_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().canonicalize().unwrap().join(name);
        for name in ["file", "other", "secret"] {
            fs::write(place(name), "").unwrap();
        }
        symlink("file", place("link")).unwrap();
        let [link, late] = ["link", "late"].map(&place);
        let (wall, boot) = (SystemTime::now(), KernelTime::from_nanos(1));
        let root = ContainerRoot::of(std::process::id()).unwrap();
        let first = manifest(&format!("{{ read: [{}, {}] }}", link.display(), late.display()));
        let places = first.in_container(&root, wall, boot);
        assert!(reads(&places, &place("file")) && reads(&places, &late));
        // What the container makes of them afterwards counts for nothing.
        fs::remove_file(&link).unwrap();
        symlink("secret", &link).unwrap();
        symlink("secret", &late).unwrap();
        let second = format!("{{ read: [{}, {}] }}\nmode: shadow", late.display(), link.display());
        let again = manifest(&second).in_same_container(&places, wall, boot);
        assert!(reads(&again, &place("file")) && reads(&again, &late));
        assert!(!reads(&again, &place("secret")));
    }
}
