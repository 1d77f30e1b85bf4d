//! Bytes and text in JSON: nothing is lost, and nothing moves a terminal's cursor.

use std::fmt::Write as _;

use serde_json::Value;

use crate::words::is_unsafe_to_print;

/// Bytes of the watched code as text. UTF-8 stays as it is, except that a backslash is doubled; every byte that is not
/// part of valid UTF-8 becomes `\x` and two hexadecimal digits. So the bytes can be had back.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter == '\\' {
                text.push('\\');
            }
            text.push(letter);
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("a String takes everything");
        }
    }
    text
}

/// One line of JSON. Control and invisible characters inside strings are written as `\u…`: the same to a parser, and
/// harmless to a terminal.
pub(super) fn json(value: &Value) -> String {
    let plain = value.to_string();
    if !plain.chars().any(is_unsafe_to_print) {
        return plain;
    }
    let mut line = String::with_capacity(plain.len() + 32);
    for letter in plain.chars() {
        if is_unsafe_to_print(letter) {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                write!(line, "\\u{unit:04x}").expect("a String takes everything");
            }
        } else {
            line.push(letter);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The inverse of [`bytes`], as the documentation describes it.
    fn back(text: &str) -> Vec<u8> {
        let mut found = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, others @ ..] = rest {
            rest = match (first, others) {
                (b'\\', [b'x', high, low, others @ ..]) => {
                    let digits = [*high, *low];
                    let digits = str::from_utf8(&digits).unwrap();
                    found.push(u8::from_str_radix(digits, 16).unwrap());
                    others
                }
                (b'\\', [b'\\', others @ ..]) => {
                    found.push(b'\\');
                    others
                }
                (byte, others) => {
                    found.push(*byte);
                    others
                }
            };
        }
        found
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped_and_text_is_left_alone() {
        assert_eq!(bytes(b"/tmp/\xff\xfea\\b"), r"/tmp/\xff\xfea\\b");
        assert_eq!(bytes("/tmp/ä".as_bytes()), "/tmp/ä");
    }

    #[test]
    fn what_steers_a_terminal_is_written_as_an_escape() {
        let line = json(&Value::from("\u{1b}[2J\u{9b}2J\u{202e}ä"));
        assert_eq!(line, r#""\u001b[2J\u009b2J\u202eä""#);
    }

    proptest! {
        #[test]
        fn no_bytes_are_lost(original: Vec<u8>) {
            prop_assert_eq!(back(&bytes(&original)), original);
        }

        #[test]
        fn every_text_is_one_line_that_parses_to_itself(text: String) {
            let line = json(&Value::from(text.clone()));
            prop_assert!(!line.chars().any(is_unsafe_to_print));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), Value::from(text));
        }
    }
}
