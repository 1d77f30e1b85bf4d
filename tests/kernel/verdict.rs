//! What the engine says of what was seen: the same judgement as in a running Picket, without its loop.

use picket_engine::{Arrival, Effect, Engine, Input, KernelTime, Policy, Settings};

use super::seen::Seen;

impl Seen {
    /// Capability and reason of every finding under a policy, in order.
    pub(crate) fn findings(&self, policy: &Policy) -> Vec<String> {
        let mut engine = Engine::new(Settings::STANDARD);
        let mut effects = Vec::new();
        let Some(sandbox) = self.records.first().map(|record| record.sandbox) else {
            return Vec::new();
        };
        let arrival = Arrival::Running { processes: Vec::new() };
        let register =
            Input::Register { sandbox, policy: policy.clone(), arrival, at: KernelTime::BOOT };
        engine.handle(register, &mut effects);
        for record in &self.records {
            let (order, process, fact) = (record.order, record.process, record.fact.clone());
            engine.handle(Input::Event { sandbox, order, process, fact }, &mut effects);
        }
        let finding = |effect: &Effect| match effect {
            Effect::Finding(finding) => Some(format!("{} {}", finding.capability, finding.reason)),
            _ => None,
        };
        effects.iter().filter_map(finding).collect()
    }

    /// Whether this is among the findings.
    #[track_caller]
    pub(crate) fn assert_found(&self, policy: &Policy, finding: &str) {
        let findings = self.findings(policy);
        assert!(findings.iter().any(|found| found == finding), "no {finding}: {findings:?}");
    }

    /// Whether nothing of this reason is among the findings.
    #[track_caller]
    pub(crate) fn assert_no(&self, policy: &Policy, reason: &str) {
        let findings = self.findings(policy);
        assert!(!findings.iter().any(|found| found.ends_with(reason)), "{findings:?}");
    }
}
