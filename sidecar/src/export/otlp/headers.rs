//! Headers for every request to a collector. Their values are secrets: they come from the environment or from a file that
//! nobody else can read, and are shown nowhere.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

/// Longer is no file of headers.
const LONGEST: u64 = 64 * 1024;

/// As `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value,name=value`, values with `%` escapes. The complaint repeats no
/// value.
pub(super) fn parse_list(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let entries = text.split(',').map(str::trim).enumerate().filter(|(_, entry)| !entry.is_empty());
    for (index, entry) in entries {
        let number = index + 1;
        let (name, value) =
            entry.split_once('=').ok_or_else(|| format!("entry {number} has no `=`"))?;
        let value = super::settings::unescaped(value.trim())
            .ok_or_else(|| format!("entry {number} has an escape that is none"))?;
        add(&mut headers, name.trim(), &value).map_err(|what| format!("entry {number} {what}"))?;
    }
    Ok(headers)
}

/// A file of lines `name: value`; empty ones and those that begin with `#` do not count.
///
/// # Errors
/// It cannot be read, others can read it, or a line of it is no header; the complaint repeats no value.
pub(crate) fn read_file(path: &Path) -> Result<HeaderMap, String> {
    let text = read_secret(path)?;
    let text = str::from_utf8(&text).map_err(|_| "is not UTF-8".to_owned())?;
    let mut headers = HeaderMap::new();
    let lines = text.lines().map(str::trim).enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let number = index + 1;
        let (name, value) =
            line.split_once(':').ok_or_else(|| format!("line {number} has no `:`"))?;
        add(&mut headers, name.trim(), value.trim())
            .map_err(|what| format!("line {number} {what}"))?;
    }
    if headers.is_empty() {
        return Err("holds no header".to_owned());
    }
    Ok(headers)
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "begins with no name of a header".to_owned())?;
    // It is escaped on its way here, so what cannot stand in a header may be anything.
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("gives `{name}` a value that cannot stand in a header"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// A file that only its owner, and perhaps a group, may read.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err("holds a secret that everybody on this machine can use; chmod o= it".to_owned());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if LONGEST < u64::try_from(bytes.len()).unwrap_or(u64::MAX) {
        return Err("is longer than 64 KiB".to_owned());
    }
    Ok(bytes)
}
