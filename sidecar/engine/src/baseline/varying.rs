//! Names that are another one in every run: random endings, digests, process ids, dates.
//!
//! A name is taken for varying only where its form says so. What a form cannot tell, several files of one directory
//! do (`picket manifest suggest`), or a second recorded run.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Digits in a row from which on a number is one of many: process ids, ports, times.
pub(super) const LONG_NUMBER: u32 = 5;
/// Hexadecimal digits in a row from which on they are a digest, given both digits and letters among them.
const LONG_HEX: usize = 12;
/// Characters that `mkstemp` and its kin make up.
const RANDOM: usize = 6;
/// As long as a UUID is.
const UUID_BYTES: usize = 36;
/// As long as a name of Python's `tempfile` without its beginning.
const MADE_UP_WHOLE: usize = 8;
/// Directories that anybody may write to, where names are made up so as not to meet.
pub const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Beginnings of made-up names, how many characters follow, and where such names are made: anywhere, or only in
/// a temporary directory.
const MADE_UP: [(&str, usize, bool); 9] = [
    ("tmp_obj_", RANDOM, true),
    ("tmp_pack_", RANDOM, true),
    ("tmp_idx_", RANDOM, true),
    ("tmp_rev_", RANDOM, true),
    ("sh-thd.", RANDOM, false),
    (".tmp", RANDOM, false),
    ("sort", RANDOM, false),
    ("cc", RANDOM, false),
    ("tmp", 8, false),
];

/// A path as pattern segments, varying names with their wildcards.
pub fn segments(path: &str, own: &BTreeSet<u32>) -> Vec<String> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let mut above = Vec::new();
    names
        .iter()
        .map(|name| {
            let pattern = segment(&above, name, own);
            above.push(*name);
            pattern
        })
        .collect()
}

fn segment(above: &[&str], name: &str, own: &BTreeSet<u32>) -> String {
    if let Some(pattern) = known_place(above, name) {
        return pattern;
    }
    let temporary = TEMPORARY.iter().any(|place| is_below(above, place));
    // Python tries whether it may write to a directory by a name that is made up as a whole.
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if temporary && name.len() == MADE_UP_WHOLE && name.bytes().all(letter) {
        return "*".to_owned();
    }
    for (start, random, anywhere) in MADE_UP {
        if (anywhere || temporary)
            && let Some(pattern) = made_up(name, start, random)
        {
            return pattern;
        }
    }
    tokens(name, temporary, own)
}

/// Whether directories, from the root on, lead to a place or below it.
fn is_below(above: &[&str], place: &str) -> bool {
    let mut above = above.iter();
    place.split('/').skip(1).all(|name| above.next() == Some(&name))
}

/// Places whose names are known to vary as a whole.
fn known_place(above: &[&str], name: &str) -> Option<String> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    let hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match above {
        ["proc"] | ["proc", _, "task" | "fd" | "fdinfo"] if digits => Some("*".to_owned()),
        [.., "__pycache__"] => {
            let (_, after) = name.rsplit_once(".pyc")?;
            let number = after.strip_prefix('.').is_some_and(is_number);
            match after {
                "" => Some("*.pyc".to_owned()),
                _ if number => Some("*.pyc.*".to_owned()),
                _ => None,
            }
        }
        [.., "objects"] if hex && name.len() == 2 => Some("*".to_owned()),
        // SHA-1 and SHA-256, less the two digits of the directory.
        [.., "objects", two] if two.len() == 2 && hex && matches!(name.len(), 38 | 62) => {
            Some("*".to_owned())
        }
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `ccAbC123.o` becomes `cc*.o`.
fn made_up(name: &str, start: &str, random: usize) -> Option<String> {
    let rest = name.strip_prefix(start)?;
    let (random, ending) = rest.split_at_checked(random)?;
    let random = random.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let whole = ending.is_empty() || ending.starts_with('.');
    (random && whole).then(|| format!("{}*{}", escaped(start), escaped(ending)))
}

/// Replaces those parts of a name that vary.
fn tokens(name: &str, temporary: bool, own: &BTreeSet<u32>) -> String {
    if may_vary(name) { taken_apart(name, temporary, own) } else { escaped(name) }
}

fn taken_apart(name: &str, temporary: bool, own: &BTreeSet<u32>) -> String {
    let tokens = cut(name);
    let mut pattern = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let rest = tokens.get(at..).unwrap_or_default();
        let length = match shape(rest) {
            0 if token.varies(temporary, own) => 1,
            length => length,
        };
        if length == 0 {
            escape(token.text, &mut pattern);
            at += 1;
            continue;
        }
        if !pattern.ends_with('*') || pattern.ends_with("\\*") {
            pattern.push('*');
        }
        at += length;
    }
    pattern
}

/// Whether a name can be other than itself. Most cannot, and need not be taken apart: numbers, digests and dates have
/// digits, what is made up has digits or capitals, and a UUID without any is long.
fn may_vary(name: &str) -> bool {
    let tells = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    UUID_BYTES <= name.len() || name.bytes().any(tells)
}

/// A run of letters and digits, or of neither.
struct Token<'a> {
    text: &'a str,
    word: bool,
    after_dot: bool,
}

fn cut(name: &str) -> Vec<Token<'_>> {
    let word = |character: char| character.is_ascii_alphanumeric();
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|character| word(character) != word(first)).unwrap_or(rest.len());
        let (text, others) = rest.split_at(end);
        let after_dot = tokens.last().is_some_and(|token| token.text.ends_with(['.', '-', '_']));
        tokens.push(Token { text, word: word(first), after_dot });
        rest = others;
    }
    tokens
}

impl Token<'_> {
    fn is_number_of(&self, digits: usize) -> bool {
        self.text.len() == digits && is_number(self.text)
    }

    fn is_hex_of(&self, digits: usize) -> bool {
        self.text.len() == digits && self.text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn varies(&self, temporary: bool, own: &BTreeSet<u32>) -> bool {
        if !self.word {
            return false;
        }
        let text = self.text;
        if is_number(text) {
            let is_own = || text.parse().is_ok_and(|number| own.contains(&number));
            return LONG_NUMBER as usize <= text.len() || 1 < text.len() && is_own();
        }
        let any = |kind: fn(&u8) -> bool| text.bytes().any(|byte| kind(&byte));
        let digit = any(u8::is_ascii_digit);
        let (upper, lower) = (any(u8::is_ascii_uppercase), any(u8::is_ascii_lowercase));
        let hex = LONG_HEX <= text.len() && self.is_hex_of(text.len()) && digit;
        // What mktemp makes up; elsewhere `Utf8Json2` would look the same.
        let mixed = [digit, upper, lower].into_iter().filter(|&kind| kind).count();
        hex || temporary && self.after_dot && RANDOM <= text.len() && 1 < mixed
    }
}

/// How many tokens from here on are a UUID or a date; 0 when they are neither.
fn shape(tokens: &[Token<'_>]) -> usize {
    let joined = |length: usize, by: &[&str]| {
        let inner = tokens.iter().take(length).skip(1).step_by(2);
        inner.clone().count() == length / 2
            && inner.into_iter().all(|token| by.contains(&token.text))
    };
    let part = |at: usize| tokens.get(at * 2);
    let uuid = [8, 4, 4, 4, 12];
    if joined(9, &["-"])
        && uuid.iter().enumerate().all(|(at, &n)| part(at).is_some_and(|it| it.is_hex_of(n)))
    {
        return 9;
    }
    let digits = |at: usize, n| part(at).is_some_and(|it| it.is_number_of(n));
    // `22`, or `22T10` where a time of day follows.
    let is_day = part(2).is_some_and(|it| {
        let (day, hour) = it.text.split_once('T').unwrap_or((it.text, "00"));
        day.len() == 2 && is_number(day) && is_number(hour)
    });
    let is_date = digits(0, 4) && digits(1, 2) && is_day;
    let century =
        part(0).is_some_and(|year| year.text.starts_with("19") || year.text.starts_with("20"));
    if !(joined(5, &["-", "_", "."]) && is_date && century) {
        return 0;
    }
    // The rest of a time of day, as in `2026-11-22-10-30`.
    let mut length = 5;
    while let (Some(between), Some(number)) = (tokens.get(length), tokens.get(length + 1))
        && matches!(between.text, "-" | "_" | "." | ":" | " ")
        && is_number(number.text.trim_end_matches('Z'))
    {
        length += 2;
    }
    length
}

/// The text of a pattern that means exactly this.
pub fn escaped(literal: &str) -> String {
    let mut pattern = String::with_capacity(literal.len());
    escape(literal, &mut pattern);
    pattern
}

fn escape(literal: &str, pattern: &mut String) {
    for part in literal.split_inclusive(['\\', '*']) {
        let plain = part.strip_suffix(['\\', '*']).unwrap_or(part);
        pattern.push_str(plain);
        if let Some(special) = part.get(plain.len()..).filter(|special| !special.is_empty()) {
            pattern.push('\\');
            pattern.push_str(special);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_not_taken_apart_would_be_itself(
            name in "[a-gé*\\\\_.:-]{1,40}|[a-f0-9A-F]{8}-[a-f]{4}-[a-f]{4}-[a-f]{4}-[a-f]{12}",
            temporary: bool,
        ) {
            let own = BTreeSet::from([7, 123]);
            if !may_vary(&name) {
                prop_assert_eq!(taken_apart(&name, temporary, &own), escaped(&name));
            }
        }
    }
}
