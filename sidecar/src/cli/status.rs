//! `picket status`: what a running daemon watches, and by which configuration.

use std::fmt::Write as _;

use clap::Args;
use hyper::Method;
use picket_engine::Resource;

use super::{exit, reach, words};
use crate::{
    api::{
        LearnedAnswer, LearningAnswer, PassedOverAnswer, RungAnswer, SandboxAnswer, StatusAnswer,
    },
    daemon::LearningStatus,
};

type Row = [String; 8];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    question: reach::Question,
    /// Lists the containers of Kubernetes that nobody judges, too.
    #[arg(long)]
    containers: bool,
}

pub(super) fn run(arguments: Arguments) -> exit::Exit {
    let Arguments { question, containers } = arguments;
    question.ask(Method::GET, "/v1/status", |answer: &StatusAnswer, socket| {
        page(answer, socket)
            + &not_judged(&answer.passed_over, containers)
            + &answer.learning.as_ref().map(learning).unwrap_or_default()
    })
}

fn page(status: &StatusAnswer, socket: &str) -> String {
    let text = |text: &str| words::text(text.as_bytes());
    let mut page = format!(
        "picket {} is watching, tier {}, asked on {socket}\nconfiguration {}",
        text(&status.version),
        text(&status.tier),
        text(&status.config)
    );
    match &status.refused {
        None => page.push_str(", in force"),
        Some(why) => {
            page.push_str("\nREFUSED: its newest version is no good, the one before is in force:");
            for line in why.lines() {
                write!(page, "\n    {}", text(line)).expect("a String takes everything");
            }
        }
    }
    for one in &status.tampered {
        let whose = one.sandbox.as_ref().map(|id| format!(" (sandbox {id})")).unwrap_or_default();
        write!(page, "\nTAMPERED WITH: {}{}", text(&one.text), text(&whose))
            .expect("a String takes everything");
    }
    for one in &status.unwatched {
        write!(page, "\nNOT WATCHED: {}: {}", text(&one.cgroup), text(&one.reason))
            .expect("a String takes everything");
    }
    page.push('\n');
    if status.sandboxes.is_empty() {
        page.push_str("\nNo sandbox is watched at the moment.");
        return page;
    }
    let place = match status.sandboxes.iter().any(|one| one.kubernetes.is_some()) {
        true => "CGROUP OR CONTAINER",
        false => "CGROUP",
    };
    let heads = ["PLUGIN", "SANDBOX", "MODE", "STATE", "FINDINGS", "CPU", "MEMORY", place];
    let rows = status.sandboxes.iter().map(|one| {
        let findings = one.findings.to_string();
        let place = match &one.kubernetes {
            Some(names) => format!("{}/{}/{}", names.namespace, names.pod, names.container),
            None => one.cgroup.clone(),
        };
        let (cpu, memory) = (share_of_a_cpu(one), memory(one));
        [&one.plugin, &one.sandbox, &one.mode, &one.state, &findings, &cpu, &memory, &place]
            .map(|cell| text(cell))
    });
    let table: Vec<Row> = std::iter::once(heads.map(str::to_owned)).chain(rows).collect();
    for row in &table {
        page.push('\n');
        page.push_str(&aligned(row, &table));
    }
    for one in status.sandboxes.iter().filter(|one| one.other_root) {
        write!(
            page,
            "\n{}: sees another root than Picket, in whose files its rules are looked up",
            text(&one.sandbox)
        )
        .expect("a String takes everything");
    }
    page
}

/// In the last second, 100 % of one CPU being all of it. A dash where nobody counts it, and before the second reading.
fn share_of_a_cpu(one: &SandboxAnswer) -> String {
    let times = [Resource::CpuUser, Resource::CpuSystem];
    let micros: Option<u64> = times.iter().map(|time| one.rates.get(time.as_str())).sum();
    micros.map_or_else(unknown, |micros| {
        let tenths = micros.saturating_add(500) / 1_000;
        format!("{}.{}%", tenths / 10, tenths % 10)
    })
}

fn memory(one: &SandboxAnswer) -> String {
    let bytes = one.resources.get(Resource::Memory.as_str());
    bytes.map_or_else(unknown, |bytes| match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, ((bytes & 0x3fff_ffff) * 10) >> 30),
    })
}

fn unknown() -> String {
    "-".to_owned()
}

/// What there is to say about the containers that nobody judges; nothing where there is none.
fn not_judged(containers: &[PassedOverAnswer], listed: bool) -> String {
    if containers.is_empty() {
        return String::new();
    }
    let unnamed = containers.iter().filter(|one| one.why == "unnamed").count();
    let mut lines = format!(
        "\n\nContainers that nobody judges: {} without a manifest, {unnamed} without a name",
        containers.len() - unnamed
    );
    if !listed {
        lines.push_str(" (`picket status --containers` lists them).");
        return lines;
    }
    for one in containers {
        let part = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
        let names = format!(
            "{}: {}/{}/{} in {}",
            one.why,
            part(&one.namespace),
            part(&one.pod),
            part(&one.container),
            one.cgroup
        );
        write!(lines, "\n    {}", words::text(names.as_bytes()))
            .expect("a String takes everything");
    }
    lines
}

/// What there is to say about the learning of baselines.
fn learning(answer: &LearningAnswer) -> String {
    let text = |text: &str| words::text(text.as_bytes());
    let mut lines = format!("\n\nLearning into {}", text(&answer.store));
    if let Some(trouble) = &answer.trouble {
        lines.push_str(&format!("\n    NOT LEARNED: {}", text(trouble)));
    }
    if 0 < answer.missed {
        let missed = words::count(answer.missed, "input");
        lines.push_str(&format!("\n    {missed} not heard: runs of that time teach nothing"));
    }
    for one in &answer.plugins {
        let key: String = one.key.chars().take(12).collect();
        let mut runs = words::count(one.runs, "run");
        if 0 < one.unusable {
            runs.push_str(&format!(" and {} of no use", one.unusable));
        }
        let state = match one.ready {
            true => judged(one, &key),
            false => format!("missing {}; picket baseline status {key}", one.missing.join(", ")),
        };
        let line = format!("{} {key}: {runs}, {state}", one.plugin);
        lines.push_str(&format!("\n    {}", text(&line)));
    }
    for plugin in &answer.not_learned {
        let line = format!("{plugin}: not learned: {}", LearningStatus::WAY_OUT);
        lines.push_str(&format!("\n    {}", text(&line)));
    }
    lines
}

/// What becomes of a baseline that is known.
fn judged(one: &LearnedAnswer, key: &str) -> String {
    let ask = || format!("picket baseline status {key}");
    match (one.stage.as_str(), &one.evidence) {
        ("calibrating", _) => format!("known, calibrating; {}", ask()),
        ("stale", _) => {
            format!("has learned since it was certified, so nothing is judged by it; {}", ask())
        }
        ("certified", None) => "certified, judged by it from its next run on".to_owned(),
        ("certified", Some(evidence)) if evidence.rungs.is_empty() => {
            "certified, without a budget: nothing is judged by it".to_owned()
        }
        ("certified", Some(evidence)) => {
            let rungs: Vec<String> = evidence.rungs.iter().map(rung).collect();
            let standing = match evidence.standing.as_str() {
                "suspended" => {
                    format!(
                        "; SUSPENDED since it contained: picket baseline rule {key} benign | deserved"
                    )
                }
                "disabled" => "; only alerts, because a containment was ruled benign".to_owned(),
                _ => String::new(),
            };
            format!("certified, {}{standing}", rungs.join(", "))
        }
        _ => "known, learned no further".to_owned(),
    }
}

fn rung(rung: &RungAnswer) -> String {
    let hundredths = u128::from(rung.evidence_ms) * 100;
    let part = hundredths.checked_div(u128::from(rung.budget_ms)).unwrap_or_default();
    format!("{part} % of the budget to {}", rung.severity)
}

fn aligned(row: &Row, table: &[Row]) -> String {
    let cells = row.iter().enumerate().map(|(column, cell)| {
        let cells = table.iter().filter_map(|row| row.get(column));
        let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        format!("{cell:<width$}")
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::{
        BreachAnswer, EvidenceAnswer, SandboxAnswer, UnwatchedAnswer, WorkloadAnswer,
    };

    fn status(refused: Option<&str>, sandboxes: Vec<SandboxAnswer>) -> StatusAnswer {
        StatusAnswer {
            version: "0.1.0".to_owned(),
            tier: "trace".to_owned(),
            config: "/etc/picket/picket.yaml".to_owned(),
            refused: refused.map(str::to_owned),
            sandboxes,
            unwatched: Vec::new(),
            tampered: Vec::new(),
            passed_over: Vec::new(),
            learning: None,
        }
    }

    fn sandbox(plugin: &str, id: &str, findings: u64, cgroup: &str) -> SandboxAnswer {
        SandboxAnswer {
            sandbox: id.to_owned(),
            plugin: plugin.to_owned(),
            mode: "enforce".to_owned(),
            state: "running".to_owned(),
            findings,
            cgroup: cgroup.to_owned(),
            manifest: "/etc/picket/m.yaml".to_owned(),
            other_root: cgroup.contains("bad"),
            resources: BTreeMap::new(),
            rates: BTreeMap::new(),
            kubernetes: None,
        }
    }

    #[test]
    fn a_page_shows_what_is_watched_in_columns() {
        let sandboxes = vec![
            sandbox("weather", "0.0", 0, "/machine.slice/weather"),
            sandbox("a-long-plugin-name", "12.3", 1024, "/bad\u{1b}[2J"),
        ];
        insta::assert_snapshot!(page(&status(None, sandboxes), "/run/picket/picket.sock"));
    }

    #[test]
    fn what_a_sandbox_uses_is_shown_for_people_and_what_nobody_counts_is_a_dash() {
        let with = |user, system, bytes| {
            let mut one = sandbox("p", "0.0", 0, "/p");
            one.rates = BTreeMap::from([
                (Resource::CpuUser.as_str().to_owned(), user),
                (Resource::CpuSystem.as_str().to_owned(), system),
            ]);
            one.resources = BTreeMap::from([(Resource::Memory.as_str().to_owned(), bytes)]);
            (share_of_a_cpu(&one), memory(&one))
        };
        let shown = |cpu: &str, memory: &str| (cpu.to_owned(), memory.to_owned());
        assert_eq!(with(0, 400, 4_096), shown("0.0%", "4 KiB"));
        assert_eq!(with(1_990_000, 9_600, 300 << 20), shown("200.0%", "300 MiB"));
        assert_eq!(with(30_000, 1_000, 3 << 29), shown("3.1%", "1.5 GiB"));
        let nothing = sandbox("p", "0.0", 0, "/p");
        assert_eq!((share_of_a_cpu(&nothing), memory(&nothing)), shown("-", "-"));
    }

    #[test]
    fn a_container_of_kubernetes_is_shown_by_its_names() {
        let mut container = sandbox("web", "0.0", 0, "/kubepods/pod1/2");
        let [namespace, workload, pod, name] = ["shop", "web", "web-0", "app"].map(str::to_owned);
        container.kubernetes = Some(WorkloadAnswer { namespace, workload, pod, container: name });
        let page = page(&status(None, vec![container]), "/run/picket/picket.sock");
        assert!(page.contains("FINDINGS  CPU  MEMORY  CGROUP OR CONTAINER\n"), "{page}");
        assert!(page.ends_with("  shop/web-0/app"), "{page}");
    }

    #[test]
    fn containers_that_nobody_judges_are_counted_and_listed_on_request() {
        let one = |why: &str, container: Option<&str>| PassedOverAnswer {
            why: why.to_owned(),
            namespace: Some("shop".to_owned()),
            pod: Some("web-0".to_owned()),
            container: container.map(str::to_owned),
            cgroup: "/kubepods/x".to_owned(),
        };
        let containers = [one("unbound", Some("app")), one("unnamed", None)];
        insta::assert_snapshot!(not_judged(&containers, false), @"

        Containers that nobody judges: 1 without a manifest, 1 without a name (`picket status --containers` lists them).
        ");
        insta::assert_snapshot!(not_judged(&containers, true), @"

        Containers that nobody judges: 1 without a manifest, 1 without a name
            unbound: shop/web-0/app in /kubepods/x
            unnamed: shop/web-0/? in /kubepods/x
        ");
        assert_eq!(not_judged(&[], true), "");
    }

    #[test]
    fn what_is_learned_is_shown_with_what_is_missing_and_what_is_not_with_the_way_out() {
        let one = |plugin: &str, ready: bool, missing: &[&str]| LearnedAnswer {
            plugin: plugin.to_owned(),
            key: "71101e1342d1ffff".to_owned(),
            runs: 3,
            unusable: u64::from(!ready),
            ready,
            missing: missing.iter().map(|&word| word.to_owned()).collect(),
            stage: "learning".to_owned(),
            evidence: None,
        };
        let answer = LearningAnswer {
            store: "/var/lib/picket/baselines.db".to_owned(),
            trouble: Some("the store of baselines is full".to_owned()),
            missed: 7,
            plugins: vec![one("mail", true, &[]), one("weather", false, &["days", "runs"])],
            not_learned: vec!["web".to_owned()],
        };
        insta::assert_snapshot!(learning(&answer), @"

        Learning into /var/lib/picket/baselines.db
            NOT LEARNED: the store of baselines is full
            7 inputs not heard: runs of that time teach nothing
            mail 71101e1342d1: 3 runs, known, learned no further
            weather 71101e1342d1: 3 runs and 1 of no use, missing days, runs; picket baseline status 71101e1342d1
            web: not learned: no artifact is named for it under `baselines.learn`, and a baseline belongs to a build
        ");
    }

    #[test]
    fn what_becomes_of_a_baseline_that_is_known_is_said_with_the_way_out() {
        let one = |stage: &str, evidence| LearnedAnswer {
            plugin: "mail".to_owned(),
            key: "71101e1342d1ffff".to_owned(),
            runs: 3,
            unusable: 0,
            ready: true,
            missing: Vec::new(),
            stage: stage.to_owned(),
            evidence,
        };
        let evidence = |standing: &str| {
            let rung = |severity: &str, evidence_ms| RungAnswer {
                severity: severity.to_owned(),
                evidence_ms,
                budget_ms: 1_000,
                claim: String::new(),
            };
            let rungs = vec![rung("alert", 155), rung("contain", 31)];
            Some(EvidenceAnswer { standing: standing.to_owned(), rungs })
        };
        let none = Some(EvidenceAnswer { standing: "active".to_owned(), rungs: Vec::new() });
        let states = [
            one("calibrating", None),
            one("stale", None),
            one("certified", None),
            one("certified", none),
            one("certified", evidence("active")),
            one("certified", evidence("suspended")),
            one("certified", evidence("disabled")),
        ];
        let lines: Vec<String> = states.iter().map(|state| judged(state, "71101e1342d1")).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        known, calibrating; picket baseline status 71101e1342d1
        has learned since it was certified, so nothing is judged by it; picket baseline status 71101e1342d1
        certified, judged by it from its next run on
        certified, without a budget: nothing is judged by it
        certified, 15 % of the budget to alert, 3 % of the budget to contain
        certified, 15 % of the budget to alert, 3 % of the budget to contain; SUSPENDED since it contained: picket baseline rule 71101e1342d1 benign | deserved
        certified, 15 % of the budget to alert, 3 % of the budget to contain; only alerts, because a containment was ruled benign
        ");
    }

    #[test]
    fn a_page_says_what_is_not_as_it_should_be() {
        let mut refused = status(Some("picket.yaml:3:1: unknown field\n  hint"), Vec::new());
        refused.tampered = vec![BreachAnswer {
            tampering: "probe_detached".to_owned(),
            part: "connect4".to_owned(),
            sandbox: Some("3.9".to_owned()),
            text: "the kernel program connect4 is not attached any more".to_owned(),
        }];
        refused.unwatched = vec![UnwatchedAnswer {
            cgroup: "/machine.slice/late".to_owned(),
            reason: "no slot is free".to_owned(),
        }];
        insta::assert_snapshot!(page(&refused, "/run/picket/picket.sock"));
    }
}
