//! The suggested text, line by line: what is granted, what is left to a person, and the evidence beside it.
//!
//! Text of the watched code stands in values and in comments. Neither can end early: a value is plain only when it
//! cannot be taken for anything else and quoted with escapes otherwise, and a comment holds no character that ends,
//! hides or reorders a line.

use super::seen::Evidence;

/// How much of a path a comment shows.
const SHOWN: usize = 96;

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// YAML, on one line.
    pub(super) value: String,
    /// What is said beside it.
    pub(super) remark: String,
}

/// The entries of one list.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) granted: Vec<Line>,
    /// Written as comments.
    pub(super) left: Vec<Line>,
}

impl List {
    pub(super) fn grant(&mut self, value: String, remark: String) {
        self.granted.push(Line { value, remark });
    }

    /// Something that only a person can grant, or that nobody can.
    pub(super) fn leave(&mut self, value: String, why: &str, evidence: &Evidence) {
        let remark = format!("{why}: a person must decide; {}", first(evidence));
        self.left.push(Line { value, remark });
    }

    fn is_empty(&self) -> bool {
        self.granted.is_empty() && self.left.is_empty()
    }
}

/// Writes `key` and, below it, its lists by their own keys; one without a key is the value of `key` itself. Where
/// nothing is granted the key is a comment, too: a key needs a value.
pub(super) fn section(text: &mut String, key: &str, lists: &[(&str, &List)]) {
    if lists.iter().all(|(_, list)| list.is_empty()) {
        return;
    }
    let granted = lists.iter().any(|(_, list)| !list.granted.is_empty());
    let hidden = if granted { "" } else { "# " };
    put(text, &format!("{hidden}{key}:"), "");
    for (name, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        let mut indent = "  ";
        if !name.is_empty() {
            let hidden = if list.granted.is_empty() { "# " } else { "" };
            put(text, &format!("  {hidden}{name}:"), "");
            indent = "    ";
        }
        for line in &list.granted {
            put(text, &format!("{indent}- {}", line.value), &line.remark);
        }
        for line in &list.left {
            put(text, &format!("{indent}# - {}", line.value), &line.remark);
        }
    }
}

fn put(text: &mut String, line: &str, remark: &str) {
    text.push_str(line);
    if !remark.is_empty() {
        text.push_str("  # ");
        text.push_str(remark);
    }
    text.push('\n');
}

/// Who did it first, and when.
pub(super) fn first(evidence: &Evidence) -> String {
    let millis = evidence.millis();
    let who = shown(&evidence.who);
    format!("first by {who}[{}] after {}.{:03} s", evidence.pid, millis / 1000, millis % 1000)
}

/// A text as a YAML value on one line.
pub(in super::super) fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+=~*-".contains(c);
    if text.starts_with('/') && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_harmless(character) => quoted.push(character),
            _ => quoted.push_str(&format!("\\U{:08X}", u32::from(character))),
        }
    }
    quoted.push('"');
    quoted
}

/// Bytes of the watched code as part of a comment.
pub(in super::super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for character in text.chars() {
        if SHOWN <= shown.len() {
            shown.push('…');
            break;
        }
        if is_harmless(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// What is on the page is what is in the text.
fn is_harmless(character: char) -> bool {
    character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric()
}
