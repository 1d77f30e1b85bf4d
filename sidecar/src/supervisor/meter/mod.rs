//! What a cgroup has used, read from files that were opened once.
//!
//! Opened beforehand, so that a reading is one system call a file and a cgroup of the same name that is made in its
//! place is never taken for it. Which files there are depends on kernel, controllers and limits; what has no file is
//! not in the answer.

mod parse;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use picket_engine::Usage;

use super::legacy::Places;

/// Longest file that is read. `io.stat` has a line of about a hundred bytes a device; what is beyond is left out.
const LONGEST: usize = 16 * 1024;

/// Takes what one file says over.
type Parse = fn(&[u8], &mut Usage);

/// Files of a cgroup in the unified tree. `cpu.stat` and the pressures are there without any controller.
const UNIFIED: [(&str, Parse); 9] = [
    ("cpu.stat", parse::cpu_stat),
    ("cpu.pressure", parse::cpu_pressure),
    ("memory.current", parse::memory),
    ("memory.peak", parse::memory_peak),
    ("memory.events", parse::oom_kills),
    ("memory.pressure", parse::memory_pressure),
    ("io.stat", parse::io_stat),
    ("io.pressure", parse::io_pressure),
    ("pids.current", parse::tasks),
];

/// Files of a controller in a hierarchy of its own.
const LEGACY: [(&str, &str, Parse); 7] = [
    ("cpu", "cpu.stat", parse::legacy_throttled),
    ("memory", "memory.usage_in_bytes", parse::memory),
    ("memory", "memory.max_usage_in_bytes", parse::memory_peak),
    ("memory", "memory.oom_control", parse::oom_kills),
    ("blkio", "blkio.throttle.io_service_bytes_recursive", parse::legacy_io_bytes),
    ("blkio", "blkio.throttle.io_serviced_recursive", parse::legacy_io_operations),
    ("pids", "pids.current", parse::tasks),
];

/// The counters of one sandbox.
#[derive(Debug)]
pub struct Meter {
    unified: Vec<(File, Parse)>,
    legacy: Vec<(File, Parse)>,
    lacks_hierarchies: bool,
}

impl Meter {
    /// Opens what there is of a cgroup of the unified tree and, where the host has such, of its places in hierarchies of
    /// their own.
    pub(super) fn open(cgroup: &Path, legacy: Option<&Places>) -> Self {
        let lacks_hierarchies = legacy.is_some_and(Places::is_empty);
        let unified = UNIFIED.iter().map(|(name, parse)| (cgroup.join(name), *parse));
        let legacy = LEGACY.iter().filter_map(|(controller, name, parse)| {
            Some((legacy?.get(*controller)?.join(name), *parse))
        });
        Self { unified: open_all(unified), legacy: open_all(legacy), lacks_hierarchies }
    }

    /// The host has hierarchies of their own, and no cgroup of this sandbox was found there.
    #[must_use]
    pub fn lacks_hierarchies(&self) -> bool {
        self.lacks_hierarchies
    }

    /// What has been used by now; `None` when the cgroup is gone.
    #[must_use]
    pub fn read(&self, buffer: &mut Buffer) -> Option<Usage> {
        let mut usage = Usage::UNKNOWN;
        for (file, parse) in &self.unified {
            if let Err(error) = take(file, *parse, buffer, &mut usage)
                && error.raw_os_error() == Some(libc::ENODEV)
            {
                return None;
            }
        }
        for (file, parse) in &self.legacy {
            // Its cgroup there may be gone before the sandbox is: what it counted is not known any more.
            drop(take(file, *parse, buffer, &mut usage));
        }
        Some(usage)
    }
}

fn open_all(files: impl Iterator<Item = (PathBuf, Parse)>) -> Vec<(File, Parse)> {
    let opened = files.filter_map(|(path, parse)| match File::open(&path) {
        Ok(file) => Some((file, parse)),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, path = %path.display(), "a counter of a sandbox cannot be opened");
            }
            None
        }
    });
    opened.collect()
}

/// A file that cannot be read says nothing: pressure that the kernel's command line switched off can be opened.
fn take(file: &File, parse: Parse, buffer: &mut Buffer, usage: &mut Usage) -> io::Result<()> {
    let length = file.read_at(&mut buffer.0, 0)?;
    parse(buffer.0.get(..length).unwrap_or_default(), usage);
    Ok(())
}

/// Room for one file, used for all.
#[derive(Debug)]
pub struct Buffer(Box<[u8]>);

impl Buffer {
    /// Nothing is in it.
    #[must_use]
    pub fn empty() -> Self {
        Self(vec![0; LONGEST].into_boxed_slice())
    }
}

#[cfg(test)]
mod tests;
