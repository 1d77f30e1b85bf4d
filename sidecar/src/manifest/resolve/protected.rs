//! Files that are never opened, by whatever name: their identities on this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use picket_engine::{FileId, Pattern};

use super::super::{
    declared::Declared,
    error::ResolveError,
    links::ContainerRoot,
    mounts::{Mounts, listing},
};
use crate::document::{At, Fault};

/// Protected for every plugin that does not name them: what opens the machine to who reads it.
const EVERYWHERE: [&str; 7] = [
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh/ssh_host_dsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_rsa_key",
];
/// Protected likewise: whatever is in here at the start.
const EVERYTHING_IN: [&str; 1] = ["/root/.ssh"];

/// The lists above, as `explain` shows them.
pub(in super::super) fn everywhere() -> impl Iterator<Item = String> {
    let files = EVERYWHERE.iter().map(|&path| path.to_owned());
    files.chain(EVERYTHING_IN.iter().map(|directory| format!("{directory}/*")))
}

/// Identities of all protected files. `elsewhere`: the paths of the manifest are those of another root, and only what is
/// protected for everybody is looked for in this one.
pub(super) fn files(
    declared: &Declared,
    mounts: &Mounts,
    elsewhere: bool,
    faults: &mut Vec<Fault>,
) -> Result<BTreeSet<FileId>, ResolveError> {
    let granted = granted(declared);
    let mut protected: BTreeMap<FileId, PathBuf> = BTreeMap::new();
    for path in candidates()? {
        if granted.iter().any(|grant| grant.value.literal_prefix() == path.to_string_lossy()) {
            continue;
        }
        match mounts.identify(&path) {
            Ok(identity) if identity.directory => {}
            Ok(identity) => {
                protected.insert(identity.file, path);
            }
            Err(cause) if out_of_reach(&cause) => {}
            Err(cause) => return Err(ResolveError::Protected { path, cause }),
        }
    }
    if elsewhere {
        return Ok(protected.into_keys().collect());
    }
    for At { value: pattern, position } in &declared.protect {
        let path = PathBuf::from(pattern.literal_prefix());
        match mounts.identify(&path) {
            Ok(identity) if identity.directory => faults.push(Fault::new(
                *position,
                format!("`{pattern}` is a directory"),
                "name the files in it that are never to be opened",
            )),
            Ok(identity) => {
                protected.insert(identity.file, path);
            }
            Err(cause) => faults.push(Fault::new(
                *position,
                format!("`{pattern}` cannot be protected: {cause}"),
                "create the file first: it is protected by its identity, whatever it is called",
            )),
        }
    }
    // A link, of either kind, to what is protected would open the back door that was just closed.
    for At { value: pattern, position } in granted {
        let path = pattern.literal_prefix();
        if let Ok(identity) = mounts.identify(Path::new(&path))
            && let Some(name) = protected.get(&identity.file)
        {
            faults.push(Fault::new(
                *position,
                format!("`{pattern}` is the protected file {} by another name", name.display()),
                "remove this grant, or grant the file by its own name",
            ));
        }
    }
    Ok(protected.into_keys().collect())
}

/// Identities of the protected files that a container has: those of the lists above, and those the manifest names.
pub(in super::super) fn in_container(
    declared: &Declared,
    root: &ContainerRoot,
) -> BTreeSet<FileId> {
    let granted = granted(declared);
    let mut paths: Vec<PathBuf> = EVERYWHERE.iter().map(PathBuf::from).collect();
    for directory in EVERYTHING_IN.map(Path::new) {
        let names = root.names(directory).unwrap_or_default();
        paths.extend(names.iter().map(|name| directory.join(name)));
    }
    paths.retain(|path| {
        !granted.iter().any(|grant| grant.value.literal_prefix() == path.to_string_lossy())
    });
    paths.extend(declared.protect.iter().map(|path| PathBuf::from(path.value.literal_prefix())));
    let identities = paths.iter().filter_map(|path| root.identify(path).ok());
    identities.filter(|identity| !identity.directory).map(|identity| identity.file).collect()
}

fn candidates() -> Result<Vec<PathBuf>, ResolveError> {
    let mut paths: Vec<_> = EVERYWHERE.iter().map(PathBuf::from).collect();
    for directory in EVERYTHING_IN {
        match listing(Path::new(directory)) {
            Ok(entries) => paths.extend(entries),
            Err(cause) if out_of_reach(&cause) => {}
            Err(cause) => {
                return Err(ResolveError::Protected { path: directory.into(), cause });
            }
        }
    }
    Ok(paths)
}

/// What Picket cannot reach, a plugin cannot either: it never has more rights than Picket.
fn out_of_reach(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Every path that the manifest grants without wildcards.
fn granted(declared: &Declared) -> Vec<&At<Pattern>> {
    let exec = declared.exec.iter().map(|rule| &rule.path);
    let files = declared.files.iter().map(|rule| &rule.path);
    exec.chain(files).filter(|path| path.value.is_literal()).collect()
}
