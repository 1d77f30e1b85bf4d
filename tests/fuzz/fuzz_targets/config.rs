//! The daemon's configuration, as a file in a directory of its own: manifests it names are looked for there.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use picket::config;
use tempfile::TempDir;

/// In memory where there is such a place: it is written anew for each try.
static PLACE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let directory = directory.expect("a directory for the configuration");
    let file = directory.path().join("picket.yaml");
    (directory, file)
});

fuzz_target!(|bytes: &[u8]| {
    let (_, file) = &*PLACE;
    fs::write(file, bytes).expect("the configuration can be written");
    match config::load(file) {
        Ok(config) => drop(config.node()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
