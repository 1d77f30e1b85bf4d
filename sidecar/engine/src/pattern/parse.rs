//! From the text of a pattern to its blocks.

use alloc::string::String;

use super::starred::Starred;
use super::{Pattern, PatternError, PatternFault};

pub(super) fn path(source: &str) -> Result<Starred<Starred<u8>>, PatternError> {
    check_text(source)?;
    if source.is_empty() {
        return Err(fault(0, PatternFault::Empty));
    }
    let Some(relative) = source.strip_prefix('/') else {
        return Err(fault(0, PatternFault::Relative));
    };
    let mut segments = Starred::new();
    if relative.is_empty() {
        return Ok(segments);
    }
    let mut at = 1;
    for text in relative.split('/') {
        let last = at + text.len() == source.len();
        match text {
            "" if last => return Err(fault(at - 1, PatternFault::TrailingSlash)),
            "" => return Err(fault(at, PatternFault::EmptySegment)),
            "." | ".." => return Err(fault(at, PatternFault::DotSegment)),
            "**" => segments.push_star(),
            text => segments.push(segment(text, at)?),
        }
        at += text.len() + 1;
    }
    Ok(segments)
}

pub(super) fn argument(source: &str) -> Result<Starred<u8>, PatternError> {
    check_text(source)?;
    starred(source, 0, |_| Ok(()))
}

/// The text of a pattern that means exactly this path or argument.
pub(super) fn escaped(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    for character in literal.chars() {
        if matches!(character, '*' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn segment(text: &str, at: usize) -> Result<Starred<u8>, PatternError> {
    let mut after_star = None;
    starred(text, at, |star| {
        if after_star == Some(star) {
            return Err(fault(star - 1, PatternFault::GluedStars));
        }
        after_star = Some(star + 1);
        Ok(())
    })
}

/// `on_star` hears the offset of every star and may object.
fn starred(
    text: &str,
    at: usize,
    mut on_star: impl FnMut(usize) -> Result<(), PatternError>,
) -> Result<Starred<u8>, PatternError> {
    let mut pattern = Starred::new();
    let mut bytes = text.bytes().zip(at..);
    while let Some((byte, at)) = bytes.next() {
        match byte {
            b'*' => {
                on_star(at)?;
                pattern.push_star();
            }
            b'\\' => match bytes.next() {
                Some((escaped @ (b'*' | b'\\'), _)) => pattern.push(escaped),
                Some(_) => return Err(fault(at, PatternFault::UnknownEscape)),
                None => return Err(fault(at, PatternFault::DanglingEscape)),
            },
            byte => pattern.push(byte),
        }
    }
    Ok(pattern)
}

fn check_text(source: &str) -> Result<(), PatternError> {
    if source.len() > Pattern::MAX_BYTES {
        return Err(fault(Pattern::MAX_BYTES, PatternFault::TooLong));
    }
    match source.bytes().position(|byte| byte == 0) {
        Some(at) => Err(fault(at, PatternFault::Nul)),
        None => Ok(()),
    }
}

const fn fault(at: usize, why: PatternFault) -> PatternError {
    PatternError { at, why }
}
