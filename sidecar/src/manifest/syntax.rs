//! From bytes to the written manifest, and the parser's complaints in the words of a manifest.

use serde_saphyr::{
    Error, Options,
    budget::BudgetBreach,
    options::{DuplicateKeyPolicy, MergeKeyPolicy},
};

use super::{
    hints,
    schema::Document,
    source::{Fault, Position, deceives},
};

/// Deep enough for any manifest (which needs five), shallow enough for any stack.
const MAX_DEPTH: usize = 16;
/// Every entry is a handful of nodes; past this the file is a machine's mistake or an attack.
const MAX_NODES: usize = 10_000;

/// The text of a manifest: UTF-8 without anything a reader would not see.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Fault> {
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

/// Reads the written manifest. The parser stops at its first complaint.
pub(super) fn document(text: &str) -> Result<Document, Fault> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| fault(&error))
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

fn fault(error: &Error) -> Fault {
    let position = error.location().map_or(Position::START, Position::from);
    let (message, hint) = words(error);
    Fault::new(position, message, hint)
}

/// The complaint and the way out.
fn words(error: &Error) -> (String, String) {
    if let Some((message, hint)) = fixed(error) {
        return (message.to_owned(), hint.to_owned());
    }
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), hints::closest(field, expected.iter().copied()))
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing"), missing(field).to_owned())
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
        other => foreign(&other.without_snippet().to_string()),
    }
}

/// Complaints that need nothing of the text they are about.
fn fixed(error: &Error) -> Option<(&'static str, &'static str)> {
    Some(match error {
        Error::Unexpected { expected: "mapping start", .. } => {
            ("keys and values belong here", "write `key: value` lines, or remove the key above")
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            ("a list belongs here", "write [first, second], or [] for an empty list")
        }
        Error::Unexpected { expected: "string scalar", .. } => {
            ("one value belongs here", "write a single text or number, no list and no mapping")
        }
        Error::NullIntoString { .. } => ("the value is missing", "write a value or remove the key"),
        Error::InvalidBooleanStrict { .. } => ("not true or false", "write true or false"),
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (<<) are not part of a manifest", "write the keys out where they apply")
        }
        Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            ("tags (!!…) are not part of a manifest", "remove the tag")
        }
        Error::Eof { .. } => ("the manifest is empty or ends too early", START_WITH),
        Error::MultipleDocuments { .. } => SECOND_DOCUMENT,
        Error::UnknownAnchor { .. } => REFERENCE,
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Documents { .. } => SECOND_DOCUMENT,
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => REFERENCE,
            BudgetBreach::Depth { .. } => TOO_DEEP,
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => TOO_MANY,
            _ => return None,
        },
        _ => return None,
    })
}

/// What is not told apart above keeps the parser's own words, without the place they end in.
fn foreign(text: &str) -> (String, String) {
    let (message, hint) = match text.split_once(" at line ").map_or(text, |(text, _)| text) {
        text if text.contains("recursion limit") => TOO_DEEP,
        text if text.contains("tab") => (text, "indent with spaces"),
        text if text.contains("tag") => (text, "remove the tag"),
        text => (text, "check indentation, quotes and brackets here and in the line above"),
    };
    (message.to_owned(), hint.to_owned())
}

const REFERENCE: (&str, &str) = (
    "anchors (&) and aliases (*) are not part of a manifest",
    "write the value out where it applies; put a text that starts with * or & in quotes",
);
const SECOND_DOCUMENT: (&str, &str) =
    ("a second document starts here", "one file holds one manifest: remove what follows");
const TOO_DEEP: (&str, &str) =
    ("nested too deeply", "no key of a manifest lies deeper than five levels");
const TOO_MANY: (&str, &str) =
    ("has too many entries", "replace lists of single files by patterns such as /data/**");
const START_WITH: &str =
    "a manifest starts with `version: 1` and `plugin: { name: …, version: … }`";

fn missing(field: &str) -> &'static str {
    match field {
        "version" => "write `version: 1` for the manifest, `version: 1.4.2` for a plugin",
        "plugin" => START_WITH,
        "name" => "name the plugin, such as `name: thumbnailer`",
        "path" => "name the file, such as `path: /usr/bin/cat`",
        "to" => "name the destination, such as `to: 10.0.0.0/8` or `to: api.example.com`",
        "address" => "name the address to listen on, such as `address: 127.0.0.1`",
        "port" => "write a port (8080), a range (8000-8099) or any",
        _ => "add it",
    }
}
