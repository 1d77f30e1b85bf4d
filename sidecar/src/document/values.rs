//! Small values of our files: ports, sizes, durations, shares, digests, points in time.
//!
//! Each parser takes the text as written and answers with the value, or with what is wrong and the
//! way out. They are strict: one way to write a thing is one thing less to review.

use std::{
    fmt,
    fs::File,
    io,
    ops::RangeInclusive,
    path::Path,
    time::{Duration, SystemTime},
};

/// What is wrong with a text, and how to write it instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Fix {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Digest of the file's content.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        use sha2::Digest as _;
        let mut hasher = Hasher(sha2::Sha256::new());
        io::copy(&mut File::open(path)?, &mut hasher)?;
        Ok(Self(hasher.0.finalize().into()))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Fix> {
        let hint = "write sha256: and the 64 lower-case digits that `sha256sum FILE` prints";
        let wrong = |why: &str| Fix::new(format!("`{text}` is not a digest: {why}"), hint);
        let digits = text.strip_prefix("sha256:").ok_or_else(|| wrong("it names no sha256:"))?;
        let mut bytes = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong(&format!("{} characters after sha256:", digits.chars().count())));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let lower = pair.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
            let value = std::str::from_utf8(pair).ok().filter(|_| lower);
            *byte = value
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| wrong("a digit is not one of 0-9 and a-f"))?;
        }
        Ok(Self(bytes))
    }
}

struct Hasher(sha2::Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sha2::Digest::update(&mut self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `8080`, `8000-8099` or `any`. Port 0 cannot be reached, and a bind to it is always allowed.
pub(crate) fn ports(text: &str) -> Result<RangeInclusive<u16>, Fix> {
    let hint = "write one port (8080), a range (8000-8099) or any; ports go from 1 to 65535";
    let wrong = |why: &str| Fix::new(format!("`{text}` is not a port: {why}"), hint);
    let port = |text: &str| match plain_number(text) {
        None => Err(wrong("it is not a number")),
        Some(0) => Err(wrong("port 0 means \"any free port\" and needs no grant")),
        Some(n) => u16::try_from(n).map_err(|_| wrong("it is above 65535")),
    };
    if text == "any" {
        return Ok(0..=u16::MAX);
    }
    let Some((first, last)) = text.split_once('-') else {
        return port(text).map(|port| port..=port);
    };
    let (first, last) = (port(first.trim())?, port(last.trim())?);
    if last < first {
        let message = format!("`{text}` is an empty range of ports");
        return Err(Fix::new(message, format!("write it as {last}-{first}")));
    }
    Ok(first..=last)
}

/// `256MiB`: a whole number and one of B, KiB, MiB, GiB, TiB.
pub(crate) fn size(text: &str) -> Result<u64, Fix> {
    let hint = "write a whole number and B, KiB, MiB, GiB or TiB, such as 256MiB";
    let wrong = |why: &str| Fix::new(format!("`{text}` is not a size: {why}"), hint);
    let (number, unit) = number_and_unit(text);
    let number = plain_number(number).ok_or_else(|| wrong("it has no whole number"))?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        "" => return Err(wrong("it has no unit")),
        _ => return Err(wrong(&format!("`{unit}` is not a unit"))),
    };
    number.checked_mul(1 << shift).ok_or_else(|| wrong("it is too large"))
}

/// `30s`: a whole number and one of ms, s, m, h, d.
pub(crate) fn duration(text: &str) -> Result<Duration, Fix> {
    let hint = "write a whole number and ms, s, m, h or d, such as 30s";
    let wrong = |why: &str| Fix::new(format!("`{text}` is not a duration: {why}"), hint);
    let (number, unit) = number_and_unit(text);
    let number = plain_number(number).ok_or_else(|| wrong("it has no whole number"))?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "" => return Err(wrong("it has no unit")),
        _ => return Err(wrong(&format!("`{unit}` is not a unit"))),
    };
    let seconds = number.checked_mul(seconds).ok_or_else(|| wrong("it is too long"))?;
    Ok(Duration::from_secs(seconds))
}

/// `50%` of one CPU; `200%` is two.
pub(crate) fn percent(text: &str) -> Result<u32, Fix> {
    let number = text.strip_suffix('%').and_then(plain_number);
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
        Fix::new(
            format!("`{text}` is not a share of a CPU"),
            "write whole per cent of one CPU: 50% is half a CPU, 200% is two",
        )
    })
}

/// A whole number within `range`.
pub(crate) fn number(text: &str, range: RangeInclusive<u32>) -> Result<u32, Fix> {
    let number = plain_number(text).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        Fix::new(
            format!("`{text}` is not a whole number from {} to {}", range.start(), range.end()),
            format!("write a number from {} to {}", range.start(), range.end()),
        )
    })
}

/// `2026-12-01T00:00:00Z`. Only UTC: a grant must not end at another moment on another machine.
pub(crate) fn moment(text: &str) -> Result<SystemTime, Fix> {
    humantime::parse_rfc3339(text).map_err(|cause| {
        Fix::new(
            format!("`{text}` is not a point in time: {cause}"),
            "write date and time in UTC, such as 2026-12-01T00:00:00Z",
        )
    })
}

/// Decimal digits only: no sign, no space, no underscore, no leading zero.
fn plain_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let octal_look = text.len() > 1 && text.starts_with('0');
    (digits && !octal_look).then(|| text.parse().ok())?
}

fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start_matches(' '))
}
