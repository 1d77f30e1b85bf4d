//! Files that hold a secret: read once, strictly, and never shown.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::document::Fix;

/// Longer than any token; a longer file is another one.
const MAX_BYTES: u64 = 16 << 10;

/// The lines of a secret file. Wiped when dropped; shown by its file's name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    path: PathBuf,
    lines: Vec<Zeroizing<String>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Secret {
    /// Its file, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secrets themselves, at least one.
    pub fn reveal(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.as_str())
    }

    /// Reads a file that its owner alone may read; `judge` says what is wrong with a line.
    pub(super) fn read(
        path: &Path,
        most: usize,
        judge: impl Fn(&str) -> Result<(), &'static str>,
    ) -> Result<Self, Fix> {
        let name = path.display();
        let unreadable = |cause| {
            Fix::new(
                format!("`{name}` cannot be read: {cause}"),
                "name the file that holds the secret; a path that does not start with / is taken from the \
                 configuration's directory",
            )
        };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Fix::new(format!("`{name}` is no file"), "name the file itself"));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Fix::new(
                format!("`{name}` holds a secret, and not only its owner may use the file"),
                format!("chmod 600 {name}, and replace the secret if others may have read it"),
            ));
        }
        // Its whole length at once, so that no half-filled buffer stays behind when it grows.
        let mut text = Zeroizing::new(String::with_capacity(usize::from(u16::MAX)));
        let whole = file.take(MAX_BYTES + 1).read_to_string(&mut text);
        let is_too_long = usize::try_from(MAX_BYTES).is_ok_and(|most| most < text.len());
        let wrong = |why: &str, hint: &str| Err(Fix::new(format!("`{name}` {why}"), hint));
        match whole {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return wrong("is not UTF-8", "write the secret as text");
            }
            Err(error) => return Err(unreadable(error)),
            Ok(_) if is_too_long => {
                return wrong("is longer than 16 KiB", "name the secret's file");
            }
            Ok(_) => {}
        }
        let lines: Vec<_> =
            text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            return wrong("is empty", "write the secret into it");
        }
        if most < lines.len() {
            return wrong(&format!("has {} lines", lines.len()), &format!("keep at most {most}"));
        }
        for (line, number) in lines.iter().zip(1..) {
            if let Err(hint) = judge(line) {
                // Not the line itself: this goes to terminals and logs.
                return wrong(&format!("is not well-formed in its line {number}"), hint);
            }
        }
        let lines = lines.into_iter().map(|line| Zeroizing::new(line.to_owned())).collect();
        Ok(Self { path: super::absolute(path), lines })
    }
}
