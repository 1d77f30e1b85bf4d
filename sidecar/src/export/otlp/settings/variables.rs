//! OpenTelemetry's variables, each read by its kind. An empty one is not set.

use std::{ffi::OsString, ops::RangeInclusive, time::Duration};

use super::{Batch, Resource, SettingsError, unescaped};

/// How long all attempts of one request may take, unless said otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The environment.
pub(super) struct Variables<'a>(pub(super) &'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, SettingsError> {
        let Some(value) = (self.0)(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        value.into_string().map(Some).map_err(|_| wrong(name, "is not UTF-8"))
    }

    /// The signal's own variable, else the common one; with its name.
    pub(super) fn one_of(
        &self,
        signal: &str,
        what: &str,
    ) -> Result<Option<(String, String)>, SettingsError> {
        let names =
            [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        for name in names {
            if let Some(text) = self.text(&name)? {
                return Ok(Some((name, text)));
            }
        }
        Ok(None)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, SettingsError> {
        match self.text(name)?.map(|text| text.to_lowercase()).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(unknown(name, other, &["true", "false"])),
        }
    }

    /// One of a few words.
    pub(super) fn only(&self, name: &str, words: &[&str]) -> Result<Option<String>, SettingsError> {
        let text = self.text(name)?.map(|text| text.to_lowercase());
        match text {
            Some(text) if !words.contains(&text.as_str()) => Err(unknown(name, &text, words)),
            known => Ok(known),
        }
    }

    pub(super) fn milliseconds(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<Duration>, SettingsError> {
        Ok(self.number(name, range)?.map(Duration::from_millis))
    }

    fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, SettingsError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let (first, last) = range.into_inner();
            wrong(name, &format!("`{text}` is not a whole number from {first} to {last}"))
        })
    }

    /// Of the signal's requests.
    pub(super) fn timeout(&self, signal: &str) -> Result<Duration, SettingsError> {
        let names =
            [format!("OTEL_EXPORTER_OTLP_{signal}_TIMEOUT"), "OTEL_EXPORTER_OTLP_TIMEOUT".into()];
        for name in names {
            if let Some(limit) = self.milliseconds(&name, 1..=600_000)? {
                return Ok(limit);
            }
        }
        Ok(TIMEOUT)
    }

    pub(super) fn gzip(&self, signal: &str) -> Result<bool, SettingsError> {
        match self.one_of(signal, "COMPRESSION")? {
            None => Ok(false),
            Some((name, text)) => match text.to_lowercase().as_str() {
                "none" => Ok(false),
                "gzip" => Ok(true),
                other => Err(unknown(&name, other, &["gzip", "none"])),
            },
        }
    }

    /// `prefix`: `OTEL_BLRP` or `OTEL_BSP`. All attempts of a batch have the signal's time, or less.
    pub(super) fn batch(
        &self,
        prefix: &str,
        delay: Duration,
        limit: Duration,
    ) -> Result<Batch, SettingsError> {
        let named = |what| format!("{prefix}_{what}");
        let given = self.milliseconds(&named("SCHEDULE_DELAY"), 0..=600_000)?;
        let size = self.number(&named("MAX_EXPORT_BATCH_SIZE"), 1..=4_096)?;
        let own = self.milliseconds(&named("EXPORT_TIMEOUT"), 1..=600_000)?;
        Ok(Batch {
            delay: given.unwrap_or(delay),
            size: size.and_then(|size| usize::try_from(size).ok()).unwrap_or(512),
            timeout: own.map_or(limit, |own| own.min(limit)),
        })
    }

    pub(super) fn resource(&self) -> Result<Resource, SettingsError> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let text = self.text(NAME)?.unwrap_or_default();
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let pair = |entry: &str| {
            let (name, value) = entry.split_once('=')?;
            let (name, value) = (unescaped(name.trim())?, unescaped(value.trim())?);
            (!name.is_empty()).then_some((name, value))
        };
        let why = |entry: &str| {
            let text = format!("`{entry}` is no attribute; write name=value,name=value");
            wrong(NAME, &text)
        };
        entries.map(|entry| pair(entry).ok_or_else(|| why(entry))).collect()
    }
}

pub(super) fn unknown(name: &str, text: &str, known: &[&str]) -> SettingsError {
    wrong(name, &format!("`{text}` is not among what Picket can do; write {}", known.join(" or ")))
}

fn wrong(name: &str, why: &str) -> SettingsError {
    SettingsError { name: name.to_owned(), why: why.to_owned() }
}
