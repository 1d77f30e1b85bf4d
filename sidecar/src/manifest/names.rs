//! What the names of manifests mean, and for how long an answer counts.
//!
//! A resolver that answers in turn with parts of a large set, and a plugin that keeps using the answer it got a
//! minute ago, are both ordinary. An address therefore counts for [`KEPT`] after the resolver last gave it.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, ToSocketAddrs as _},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// How long an address counts that the resolver does not give any more. The system's resolver does not tell how long
/// an answer holds; this is longer than what stub resolvers and clients keep one.
pub const KEPT: Duration = Duration::from_secs(10 * 60);

/// Addresses of one name. A name with more takes the place of the oldest: the kernel side has room for 64 rules.
const MOST: usize = 32;

/// The answers of the system's resolver, kept for a while.
#[derive(Debug, Default)]
pub struct Names(Mutex<BTreeMap<String, BTreeMap<IpAddr, SystemTime>>>);

impl Names {
    /// Addresses of a name, sorted, IPv4-mapped ones as the IPv4 addresses they are. Asks the system's resolver, which
    /// may take as long as that takes; while it fails the kept addresses count.
    pub(super) fn lookup(&self, name: &str, now: SystemTime) -> io::Result<Vec<IpAddr>> {
        self.merge(name, now, system(name))
    }

    fn merge(
        &self,
        name: &str,
        now: SystemTime,
        answer: io::Result<Vec<IpAddr>>,
    ) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = names.entry(name.to_owned()).or_default();
        // A clock that was set back makes an answer younger, never older.
        kept.retain(|_, given| now.duration_since(*given).unwrap_or_default() < KEPT);
        let failed = match answer {
            Ok(addresses) => {
                kept.extend(addresses.into_iter().map(|address| (address, now)));
                io::Error::other("the resolver knows none")
            }
            Err(failed) => failed,
        };
        while MOST < kept.len() {
            let oldest = kept.iter().min_by_key(|(_, given)| **given).map(|(address, _)| *address);
            oldest.and_then(|address| kept.remove(&address));
        }
        if kept.is_empty() { Err(failed) } else { Ok(kept.keys().copied().collect()) }
    }
}

fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip().to_canonical()).collect())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(minutes: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(60 * minutes)
    }

    fn answer(addresses: &[&str]) -> io::Result<Vec<IpAddr>> {
        Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }

    fn merged(names: &Names, now: SystemTime, answer: io::Result<Vec<IpAddr>>) -> Vec<String> {
        names.merge("x", now, answer).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_address_counts_for_a_while_after_the_resolver_last_gave_it() {
        let names = Names::default();
        assert_eq!(merged(&names, at(0), answer(&["10.0.0.1"])), ["10.0.0.1"]);
        assert_eq!(merged(&names, at(9), answer(&["10.0.0.2"])), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(merged(&names, at(10), answer(&["10.0.0.2"])), ["10.0.0.2"]);
    }

    #[test]
    fn while_the_resolver_fails_the_kept_addresses_count_and_then_it_is_an_error() {
        let names = Names::default();
        let failure = || Err(io::Error::other("no answer"));
        assert_eq!(merged(&names, at(0), answer(&["::1"])), ["::1"]);
        assert_eq!(merged(&names, at(5), failure()), ["::1"]);
        assert_eq!(names.merge("x", at(10), failure()).unwrap_err().to_string(), "no answer");
        let none = names.merge("x", at(11), answer(&[])).unwrap_err();
        assert_eq!(none.to_string(), "the resolver knows none");
    }

    #[test]
    fn a_name_with_very_many_addresses_keeps_the_youngest() {
        let names = Names::default();
        for last in 0..200 {
            let given = answer(&[&format!("10.0.0.{last}")]);
            names.merge("x", UNIX_EPOCH + Duration::from_secs(last), given).unwrap();
        }
        let kept = merged(&names, UNIX_EPOCH + Duration::from_secs(200), answer(&["10.0.0.1"]));
        assert_eq!(kept.len(), MOST);
        assert!(kept.contains(&"10.0.0.1".to_owned()) && kept.contains(&"10.0.0.199".to_owned()));
        assert!(!kept.contains(&"10.0.0.2".to_owned()));
    }
}
