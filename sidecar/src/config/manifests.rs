//! The manifests that a configuration names: each is read once, and its faults are its own.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::check;
use crate::{
    document::{DocumentError, Faults, Fix, Report, Text},
    manifest::{self, Manifest},
};

/// What became of a manifest's file.
enum Outcome {
    Accepted(Arc<Manifest>),
    /// What to say where the configuration names it.
    Refused {
        message: String,
        hint: String,
    },
}

/// The manifests read so far.
pub(super) struct Manifests {
    /// What relative paths start from.
    directory: PathBuf,
    read: BTreeMap<PathBuf, Outcome>,
    /// Directories that were listed.
    listed: Vec<PathBuf>,
    refused: Vec<DocumentError>,
    warnings: Vec<Report>,
}

impl Manifests {
    /// For the configuration at `path`.
    pub(super) fn new(path: &Path) -> Self {
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        Self {
            directory,
            read: BTreeMap::new(),
            listed: Vec::new(),
            refused: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The directory that `text` names, and what is in it in the order of the names; hidden files, which Kubernetes
    /// swaps the others through, left out.
    pub(super) fn list(
        &mut self,
        text: &Text,
        faults: &mut Faults,
    ) -> Option<(PathBuf, Vec<PathBuf>)> {
        let directory = self.directory.join(&text.value);
        self.listed.push(directory.clone());
        let entries = fs::read_dir(&directory).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        });
        let mut entries = faults.take(
            text.position,
            entries.map_err(|cause| {
                Fix::new(
                    format!("the directory {} cannot be read: {cause}", directory.display()),
                    "create the directory, or mount the ConfigMap with the manifests there",
                )
            }),
        )?;
        let is_hidden = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        };
        entries.retain(|path| !is_hidden(path));
        entries.sort();
        Some((super::absolute(&directory), entries))
    }

    /// The manifest that `text` names, with its absolute path; else its place in the configuration gets a fault.
    pub(super) fn load(
        &mut self,
        text: &Text,
        faults: &mut Faults,
    ) -> Option<(PathBuf, Arc<Manifest>)> {
        if text.value.is_empty() {
            faults.add(text.position, "no file is named", "write the manifest's path");
            return None;
        }
        let path = self.directory.join(&text.value);
        if !self.read.contains_key(&path) {
            let outcome = self.read(&path);
            self.read.insert(path.clone(), outcome);
        }
        match self.read.get(&path)? {
            Outcome::Accepted(manifest) => Some((super::absolute(&path), Arc::clone(manifest))),
            Outcome::Refused { message, hint } => {
                faults.add(text.position, message, hint);
                None
            }
        }
    }

    fn read(&mut self, path: &Path) -> Outcome {
        let name = path.display();
        if let Err(fix) = check::only_ours(path) {
            return Outcome::Refused { message: fix.message, hint: fix.hint };
        }
        let error = match manifest::load(path) {
            Err(DocumentError::Unreadable { cause, .. }) => {
                return Outcome::Refused {
                    message: format!("{name}: cannot be read: {cause}"),
                    hint: "a path that does not start with / is taken from the configuration's directory"
                        .to_owned(),
                };
            }
            Err(error) => error,
            Ok(manifest) => {
                let of_the_start = manifest.of_the_start();
                if of_the_start.errors.is_empty() {
                    if !of_the_start.warnings.is_empty() {
                        self.warnings.push(manifest.report(of_the_start.warnings));
                    }
                    return Outcome::Accepted(Arc::new(manifest));
                }
                DocumentError::Invalid { report: manifest.report(of_the_start.errors) }
            }
        };
        let count = match &error {
            DocumentError::Invalid { report } if 1 < report.problems().len() => {
                format!("{} faults", report.problems().len())
            }
            _ => "a fault".to_owned(),
        };
        self.refused.push(error);
        Outcome::Refused {
            message: format!("the manifest {name} has {count}"),
            hint: "correct the manifest: what is wrong there follows".to_owned(),
        }
    }

    /// Every file and directory that was asked for.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.read.keys().chain(&self.listed).map(PathBuf::as_path)
    }

    /// Manifests with faults, in the order they are named.
    pub(super) fn into_refused(self) -> Vec<DocumentError> {
        self.refused
    }

    /// What to know about manifests that were accepted.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Report> + '_ {
        self.warnings.iter().cloned()
    }
}
