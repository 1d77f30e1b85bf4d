//! The repository as the checks see it: every file that is not a build's, by name and bytes.

use std::fs;
use std::path::Path;

use crate::shell::{About, Outcome};

/// Directories that hold no sources.
const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];

#[derive(Debug)]
pub(super) struct File {
    /// Path from the top of the repository, with `/` between its parts.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl File {
    /// The text, empty if the file is not text.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// Lines with their numbers as editors count them.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text().lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All files, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

impl Tree {
    pub(super) fn read(top: &Path) -> Outcome<Self> {
        let mut tree = Self::default();
        tree.walk(top, "")?;
        tree.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tree)
    }

    fn walk(&mut self, place: &Path, prefix: &str) -> Outcome {
        for entry in fs::read_dir(place).about(place.display())? {
            let entry = entry.about(place.display())?;
            let own = entry.file_name().to_string_lossy().into_owned();
            let name = format!("{prefix}{own}");
            // Links are not followed: what they lead to is either here already or not ours.
            let kind = entry.file_type().about(&name)?;
            if kind.is_dir() && !SKIPPED.contains(&own.as_str()) {
                self.walk(&entry.path(), &format!("{name}/"))?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).about(&name)?;
                self.files.push(File { name, bytes });
            }
        }
        Ok(())
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.name.ends_with(".rs"))
    }

    pub(super) fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether a file or directory of this name exists.
    pub(super) fn has(&self, name: &str) -> bool {
        let directory = format!("{}/", name.trim_end_matches('/'));
        self.files.iter().any(|file| file.name == name || file.name.starts_with(&directory))
    }
}
