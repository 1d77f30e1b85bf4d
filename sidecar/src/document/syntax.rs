//! From bytes to a written document, and the parser's complaints in the words of its kind.

use serde_saphyr::{
    Error, Options,
    budget::BudgetBreach,
    options::{DuplicateKeyPolicy, MergeKeyPolicy},
};

use serde::de::DeserializeOwned;

use super::{
    Kind, hints,
    source::{Fault, Position, deceives},
};

/// Deep enough for any file of ours (which needs five), shallow enough for any stack.
const MAX_DEPTH: usize = 16;
/// Every entry is a handful of nodes; past this the file is a machine's mistake or an attack.
const MAX_NODES: usize = 10_000;

/// The text of a file: UTF-8 without anything a reader would not see.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let encoding = "save the file as UTF-8 without a byte order mark";
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => {
            return Err(Fault::new(Position::START, "starts with a byte order mark", encoding));
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(Fault::new(Position::START, "is UTF-16, not UTF-8", encoding));
        }
        _ => {}
    }
    let text = std::str::from_utf8(bytes).map_err(|cause| {
        let valid = bytes.get(..cause.valid_up_to()).unwrap_or_default();
        let byte = bytes.get(cause.valid_up_to()).copied().unwrap_or_default();
        let position = position_after(&String::from_utf8_lossy(valid));
        Fault::new(position, format!("byte 0x{byte:02x} is not UTF-8"), encoding)
    })?;
    match text.char_indices().find(|&(_, c)| deceives(c)) {
        None => Ok(text),
        Some((at, c)) => Err(Fault::new(
            position_after(text.get(..at).unwrap_or_default()),
            format!("U+{:04X} is an invisible or control character", u32::from(c)),
            "remove it, so that the file says what it shows",
        )),
    }
}

/// The place of the character that follows `text`.
fn position_after(text: &str) -> Position {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position::new(line, column)
}

/// Reads the written document. The parser stops at its first complaint.
pub(crate) fn document<T: DeserializeOwned>(kind: &Kind, text: &str) -> Result<T, Fault> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| fault(kind, &error))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
            // What a grant says stands where the grant stands; a reviewer follows no references.
            max_anchors: 0,
            max_aliases: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        // `!!binary` would hide a path from the reader.
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    }
}

fn fault(kind: &Kind, error: &Error) -> Fault {
    let position = error.location().map_or(Position::START, Position::from);
    let (message, hint) = words(kind, error);
    Fault::new(position, message, hint)
}

/// The complaint and the way out.
fn words(kind: &Kind, error: &Error) -> (String, String) {
    if let Some((message, hint)) = fixed(kind, error) {
        return (message, hint.to_owned());
    }
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), hints::closest(field, expected.iter().copied()))
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing"), (kind.missing)(field).to_owned())
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a key");
            let hint = "keep one of the two, or join them in one list";
            (format!("`{key}` is written twice"), hint.to_owned())
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            let unexpected = if unexpected == "unit value" { "nothing" } else { unexpected };
            (
                format!("found {unexpected} where {expected} belongs"),
                format!("write {expected}; text that looks like a number goes in quotes"),
            )
        }
        other => foreign(kind, &other.without_snippet().to_string()),
    }
}

/// Complaints that need nothing of the text they are about.
fn fixed(kind: &Kind, error: &Error) -> Option<(String, &'static str)> {
    let said = |message: &str, hint| Some((message.to_owned(), hint));
    match error {
        Error::Unexpected { expected: "mapping start", .. } => {
            said("keys and values belong here", "write `key: value` lines, or remove the key above")
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            said("a list belongs here", "write [first, second], or [] for an empty list")
        }
        Error::Unexpected { expected: "string scalar", .. } => {
            said("one value belongs here", "write a single text or number, no list and no mapping")
        }
        Error::NullIntoString { .. } => {
            said("the value is missing", "write a value or remove the key")
        }
        Error::InvalidBooleanStrict { .. } => said("not true or false", "write true or false"),
        Error::MergeKeyNotAllowed { .. } => Some((
            format!("merge keys (<<) are not part of {}", kind.one),
            "write the keys out where they apply",
        )),
        Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            Some((format!("tags (!!…) are not part of {}", kind.one), "remove the tag"))
        }
        Error::Eof { .. } => {
            Some((format!("the {} is empty or ends too early", kind.name), kind.start_with))
        }
        Error::MultipleDocuments { .. } => second_document(kind),
        Error::UnknownAnchor { .. } => reference(kind),
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Documents { .. } => second_document(kind),
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => reference(kind),
            BudgetBreach::Depth { .. } => said(TOO_DEEP, kind.deepest),
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                said("has too many entries", kind.shorter)
            }
            _ => None,
        },
        _ => None,
    }
}

const TOO_DEEP: &str = "nested too deeply";

fn second_document(kind: &Kind) -> Option<(String, &'static str)> {
    Some(("a second document starts here".to_owned(), kind.only_one))
}

fn reference(kind: &Kind) -> Option<(String, &'static str)> {
    Some((
        format!("anchors (&) and aliases (*) are not part of {}", kind.one),
        "write the value out where it applies; put a text that starts with * or & in quotes",
    ))
}

/// What is not told apart above keeps the parser's own words, without the place they end in.
fn foreign(kind: &Kind, text: &str) -> (String, String) {
    let (message, hint) = match text.split_once(" at line ").map_or(text, |(text, _)| text) {
        text if text.contains("recursion limit") => (TOO_DEEP, kind.deepest),
        text if text.contains("tab") => (text, "indent with spaces"),
        text if text.contains("tag") => (text, "remove the tag"),
        text => (text, "check indentation, quotes and brackets here and in the line above"),
    };
    (message.to_owned(), hint.to_owned())
}
