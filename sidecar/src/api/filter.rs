//! Which events a listener asked for.

use std::{collections::BTreeSet, time::Duration};

use picket_engine::{Capability, SandboxId};

use super::{
    event::{EVENTS, Subject},
    query,
};
use crate::document::hints;

const PARAMETERS: [&str; 5] = ["plugin", "sandbox", "event", "capability", "follow"];

/// What is asked for. A parameter that is not there asks for everything; one that is there more than once asks for
/// any of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    plugins: BTreeSet<String>,
    sandboxes: BTreeSet<SandboxId>,
    events: BTreeSet<&'static str>,
    capabilities: BTreeSet<Capability>,
    /// How long to listen; `None`: until one of the two ends.
    pub(super) follow: Option<Duration>,
}

impl Filter {
    /// # Errors
    /// A parameter or value that does not exist, with what was probably meant.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in query::pairs(query)? {
            match &*name {
                "plugin" => drop(filter.plugins.insert(value)),
                "sandbox" => drop(filter.sandboxes.insert(sandbox(&value)?)),
                "event" => {
                    let known = EVENTS.into_iter().find(|known| *known == value);
                    let event = known.ok_or_else(|| {
                        format!("`{value}` is no event; {}", hints::closest(&value, EVENTS))
                    })?;
                    filter.events.insert(event);
                }
                "capability" => {
                    let names = Capability::ALL.iter().map(|known| known.as_str());
                    let known = Capability::ALL.iter().find(|known| known.as_str() == value);
                    let capability = known.ok_or_else(|| {
                        format!("`{value}` is no capability; {}", hints::closest(&value, names))
                    })?;
                    filter.capabilities.insert(*capability);
                }
                "follow" => filter.follow = follow(&value)?,
                _ => {
                    let hint = hints::closest(&name, PARAMETERS);
                    return Err(format!("`{name}` is no parameter of events; {hint}"));
                }
            }
        }
        Ok(filter)
    }

    pub(super) fn passes(&self, subject: &Subject, plugin: Option<&str>) -> bool {
        let any_event = self.events.is_empty() || self.events.contains(subject.event);
        let any_capability = self.capabilities.is_empty()
            || subject.capability.is_some_and(|one| self.capabilities.contains(&one));
        // What concerns every sandbox concerns the ones asked for.
        let any_sandbox = self.sandboxes.is_empty()
            || subject.sandbox.is_none_or(|one| self.sandboxes.contains(&one));
        let any_plugin = self.plugins.is_empty()
            || subject.sandbox.is_none()
            || plugin.is_some_and(|one| self.plugins.contains(one));
        any_event && any_capability && any_sandbox && any_plugin
    }
}

/// # Errors
/// Says how a sandbox is written.
pub(super) fn sandbox(text: &str) -> Result<SandboxId, String> {
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    };
    text.split_once('.')
        .and_then(|(slot, generation)| {
            Some(SandboxId { slot: number(slot)?, generation: number(generation)? })
        })
        .ok_or_else(|| {
            format!("`{text}` is no sandbox; it is written slot.generation, such as 0.2")
        })
}

fn follow(text: &str) -> Result<Option<Duration>, String> {
    if text == "forever" {
        return Ok(None);
    }
    humantime::parse_duration(text).map(Some).map_err(|_| {
        format!("`{text}` is no time to follow for; write `forever`, or a time such as 30s or 5m")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(
        event: &'static str,
        sandbox: Option<u32>,
        capability: Option<Capability>,
    ) -> Subject {
        let sandbox = sandbox.map(|slot| SandboxId { slot, generation: 0 });
        Subject { event, sandbox, capability }
    }

    #[test]
    fn values_of_one_parameter_are_alternatives_and_parameters_all_have_to_fit() {
        let exec = subject("exec", Some(1), Some(Capability::Exec));
        for (query, passes) in [
            ("", true),
            ("event=exec", true),
            ("event=open&event=exec", true),
            ("event=open", false),
            ("sandbox=1.0", true),
            ("sandbox=1.1", false),
            ("sandbox=1.0&event=open", false),
            ("plugin=mine", true),
            ("plugin=other", false),
            ("plugin=other&plugin=mine", true),
            ("capability=exec", true),
            ("capability=files", false),
        ] {
            let filter = Filter::parse(query).unwrap();
            assert_eq!(filter.passes(&exec, Some("mine")), passes, "{query}");
        }
    }

    #[test]
    fn a_sandbox_whose_plugin_nobody_knows_is_of_no_plugin() {
        let filter = Filter::parse("plugin=mine").unwrap();
        assert!(!filter.passes(&subject("exec", Some(1), None), None));
    }

    #[test]
    fn what_concerns_every_sandbox_concerns_the_ones_asked_for() {
        let filter = Filter::parse("plugin=mine&sandbox=1.0").unwrap();
        assert!(filter.passes(&subject("tampered", None, None), None));
    }

    #[test]
    fn what_has_no_capability_passes_only_who_asks_for_none() {
        let watched = subject("watched", Some(1), None);
        assert!(Filter::default().passes(&watched, None));
        assert!(!Filter::parse("capability=exec").unwrap().passes(&watched, None));
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_was_meant() {
        for (query, expected) in [
            ("plugn=x", "`plugn` is no parameter of events; did you mean `plugin`?"),
            ("event=findings", "`findings` is no event; did you mean `finding`?"),
            ("capability=file", "`file` is no capability; did you mean `files`?"),
            ("sandbox=1", "`1` is no sandbox; it is written slot.generation, such as 0.2"),
            ("sandbox=+1.0", "`+1.0` is no sandbox; it is written slot.generation, such as 0.2"),
            (
                "sandbox=4294967296.0",
                "`4294967296.0` is no sandbox; it is written slot.generation, such as 0.2",
            ),
            (
                "follow=long",
                "`long` is no time to follow for; write `forever`, or a time such as 30s or 5m",
            ),
            ("event=%zz", "`event=%zz` is not percent-encoded UTF-8"),
        ] {
            // A plus sign stands for a space there.
            assert_eq!(Filter::parse(&query.replace('+', "%2B")).unwrap_err(), expected, "{query}");
        }
    }

    #[test]
    fn listening_lasts_as_long_as_asked() {
        let follow = |query: &str| Filter::parse(query).unwrap().follow;
        assert_eq!(follow("follow=90s"), Some(Duration::from_secs(90)));
        assert_eq!((follow("follow=forever"), follow("")), (None, None));
    }
}
