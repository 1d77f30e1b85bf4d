//! Learned evidence, in a trace.

use picket_engine::{
    baseline::{self, Family, Item},
    learned::{Budget, Lane, PluginTime, Severity},
    sequence::Bits,
};
use serde::{Deserialize, Serialize};

use super::{
    bytes::{from_hex, to_hex},
    words::{Form, form},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Anomaly {
    #[serde(with = "form")]
    severity: Severity,
    #[serde(with = "form")]
    lane: Lane,
    evidence_ms: u64,
    #[serde(with = "form")]
    budget_ms: Budget,
    calibrated_ms: u64,
    certificate: u64,
    #[serde(with = "form")]
    baseline: BaselineDigest,
    items: Vec<Oddity>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oddity {
    /// In 2⁻¹⁶ bits.
    surprise: u32,
    #[serde(with = "form")]
    family: Family,
    template: String,
    runs: u64,
}

struct BaselineDigest([u8; 32]);

impl Form for BaselineDigest {
    type Stored<'a> = String;
    type Read = String;

    fn store(&self) -> String {
        to_hex(&self.0)
    }

    fn restore(digits: String) -> Result<Self, String> {
        let bytes = from_hex(&digits).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| "a baseline's digest has 64 hexadecimal digits".to_owned())
    }
}

impl Form for Budget {
    type Stored<'a> = u64;
    type Read = u64;

    fn store(&self) -> u64 {
        self.time().as_millis()
    }

    fn restore(millis: u64) -> Result<Self, String> {
        Self::one_per(PluginTime::from_millis(millis)).map_err(|error| error.to_string())
    }
}

impl From<&baseline::Anomaly> for Anomaly {
    fn from(anomaly: &baseline::Anomaly) -> Self {
        let oddity = |item: &Item| Oddity {
            surprise: item.bits().raw(),
            family: item.family,
            template: item.template.clone(),
            runs: item.runs,
        };
        Self {
            severity: anomaly.severity,
            lane: anomaly.lane,
            evidence_ms: anomaly.evidence.as_millis(),
            budget_ms: anomaly.budget,
            calibrated_ms: anomaly.calibrated.as_millis(),
            certificate: anomaly.certificate,
            baseline: BaselineDigest(anomaly.baseline),
            items: anomaly.items.iter().map(oddity).collect(),
        }
    }
}

impl From<Anomaly> for baseline::Anomaly {
    fn from(anomaly: Anomaly) -> Self {
        let item = |Oddity { surprise, family, template, runs }| {
            Item::new(Bits::from_raw(surprise), family, template, runs)
        };
        Self {
            severity: anomaly.severity,
            lane: anomaly.lane,
            evidence: PluginTime::from_millis(anomaly.evidence_ms),
            budget: anomaly.budget_ms,
            calibrated: PluginTime::from_millis(anomaly.calibrated_ms),
            certificate: anomaly.certificate,
            baseline: anomaly.baseline.0,
            items: anomaly.items.into_iter().map(item).collect(),
        }
    }
}
