//! Keyed pseudonyms: whether two things are the same, without saying what they are.

use std::{
    fmt, io,
    time::{Duration, SystemTime},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key lives this long. What was exported under a former one cannot be joined with what comes after.
const ROTATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The key of the day. Never written anywhere; wiped when it is replaced or dropped.
pub(super) struct Key {
    bytes: Zeroizing<[u8; 32]>,
    since: SystemTime,
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Key").field("since", &self.since).finish_non_exhaustive()
    }
}

/// First eight bytes of HMAC-SHA256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pseudonym(u64);

impl fmt::Display for Pseudonym {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl Key {
    pub(super) fn new(now: SystemTime) -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += getrandom(rest, GetRandomFlags::empty())?;
        }
        Ok(Self { bytes, since: now })
    }

    /// The key for `now`: this one, or a new one when its day is over or the clock was set back.
    pub(super) fn turn_to(&mut self, now: SystemTime) {
        if now.duration_since(self.since).is_ok_and(|age| age < ROTATION) {
            return;
        }
        match Self::new(now) {
            Ok(next) => *self = next,
            // An old key is better than none: what it hides stays hidden.
            Err(error) => tracing::error!(%error, "the key of pseudonyms could not be replaced"),
        }
    }

    /// `class` keeps a path and an address of the same bytes apart.
    pub(super) fn pseudonym(&self, class: &str, name: &[u8]) -> Pseudonym {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.bytes).expect("any length is a key");
        mac.update(class.as_bytes());
        mac.update(b"\0");
        mac.update(name);
        let digest = mac.finalize().into_bytes();
        let first = digest.iter().take(8);
        Pseudonym(first.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_gives_one_name_one_pseudonym_and_another_key_another() {
        let now = SystemTime::now();
        let (one, other) = (Key::new(now).unwrap(), Key::new(now).unwrap());
        assert_eq!(one.pseudonym("path", b"/x"), one.pseudonym("path", b"/x"));
        assert_ne!(one.pseudonym("path", b"/x"), one.pseudonym("path", b"/y"));
        assert_ne!(one.pseudonym("path", b"/x"), one.pseudonym("exec", b"/x"));
        assert_ne!(one.pseudonym("path", b"/x"), other.pseudonym("path", b"/x"));
    }

    #[test]
    fn a_key_is_replaced_after_a_day_and_when_the_clock_was_set_back() {
        let now = SystemTime::now();
        let mut key = Key::new(now).unwrap();
        let first = key.pseudonym("path", b"/x");
        key.turn_to(now + ROTATION / 2);
        assert_eq!(key.pseudonym("path", b"/x"), first);
        key.turn_to(now + ROTATION);
        let second = key.pseudonym("path", b"/x");
        assert_ne!(second, first);
        key.turn_to(now);
        assert_ne!(key.pseudonym("path", b"/x"), second);
    }
}
