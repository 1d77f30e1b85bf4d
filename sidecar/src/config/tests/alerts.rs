//! Which targets of alerts are accepted, and what is said of the others.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use super::{Config, Files, LEAST, PLUGIN};
use crate::config::TargetKind;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQI\n";

fn files(alerts: &str) -> Files {
    let text = format!("{LEAST}alerts:\n{alerts}");
    let files = Files::new(&[
        ("picket.yaml", &text),
        ("p.yaml", PLUGIN),
        ("soc.secret", SECRET),
        ("token", "abc123\n"),
    ]);
    for name in ["soc.secret", "token"] {
        fs::set_permissions(files.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    files
}

fn targets(targets: &[&str]) -> Files {
    let lines: String = targets.iter().map(|target| format!("    - {{ {target} }}\n")).collect();
    files(&format!("  targets:\n{lines}"))
}

fn load(files: &Files) -> Config {
    files.load().unwrap_or_else(|error| panic!("{error}"))
}

const MANAGER: &str = "name: oncall, type: alertmanager, url: 'http://127.0.0.1:9093/am/'";
const HOOK: &str =
    "name: soc, type: webhook, url: 'https://soc.example/x?y=1', secret_file: soc.secret";

#[test]
fn targets_have_the_documented_defaults() {
    let config = load(&targets(&[MANAGER, HOOK]));
    let alerts = config.alerts.clone().unwrap();
    assert_eq!(alerts.outbox, std::path::Path::new("/var/lib/picket/alerts.db"));
    assert_eq!(alerts.give_up_after, Duration::from_secs(86_400));
    assert_eq!(alerts.targets[0].url.as_str(), "http://127.0.0.1:9093/am/api/v2/alerts");
    let TargetKind::Webhook { secrets, rate } = &alerts.targets[1].kind else {
        panic!("{alerts:?}")
    };
    assert_eq!((secrets.reveal().count(), *rate), (1, 60));
    assert!(config.warnings.is_empty());
}

#[test]
fn a_secret_is_neither_shown_nor_printed_and_its_file_is_watched() {
    let bearer = format!("{HOOK}, bearer_file: token");
    let files = targets(&[&bearer]);
    let config = load(&files);
    let said = format!("{config:?} {}", config.effective());
    assert!(!said.contains("C2FVsBQI") && !said.contains("abc123"), "{said}");
    for name in ["soc.secret", "token"] {
        assert!(config.files().any(|file| file == files.path(name)), "{name}");
    }
}

#[test]
fn what_is_shown_is_the_same_section_again() {
    let files = files(&format!(
        "  outbox: /x/y.db\n  give_up_after: 90m\n  targets:\n    - {{ {MANAGER} }}\n    - {{ {HOOK}, rate: 7 }}\n"
    ));
    let config = load(&files);
    fs::write(files.path("picket.yaml"), config.effective().to_string()).unwrap();
    assert_eq!(load(&files).alerts, config.alerts);
}

#[test]
fn what_leaves_the_machine_in_the_clear_is_pointed_out() {
    let config = load(&targets(&["name: a, type: alertmanager, url: 'http://10.0.0.1:9093'"]));
    assert!(config.warnings[0].to_string().contains("without encryption"));
    for here in ["http://localhost:1", "http://[::1]:1", "https://10.0.0.1"] {
        let target = format!("name: a, type: alertmanager, url: '{here}'");
        assert!(load(&targets(&[&target])).warnings.is_empty(), "{here}");
    }
}

#[test]
fn every_bad_target_is_refused_where_it_stands_with_a_way_out() {
    let hook = |url: &str| format!("name: a, type: webhook, url: '{url}', secret_file: soc.secret");
    for (target, said) in [
        ("name: otlp, type: alertmanager, url: 'http://localhost'".to_owned(), "another output"),
        (
            "name: A_b, type: alertmanager, url: 'http://localhost'".to_owned(),
            "no name for a target",
        ),
        ("name: a, type: slack, url: 'http://localhost'".to_owned(), "not a type of target"),
        ("name: a, type: webhook, url: 'https://x'".to_owned(), "`secret_file` is missing"),
        (hook("ftp://x"), "not one of http or https"),
        (hook("nowhere"), "cannot be read"),
        (hook("https://user:pass@x"), "holds a name or password"),
        (hook("https://x/#y"), "fragment"),
        (hook("http://10.0.0.1/"), "a secret would be used without encryption"),
        (format!("{MANAGER}, secret_file: soc.secret"), "an Alertmanager has no `secret_file`"),
        (format!("{MANAGER}, rate: 5"), "an Alertmanager has no `rate`"),
        (format!("{MANAGER}, ca_file: p.yaml"), "holds no certificate"),
        (format!("{MANAGER}, bearer_file: nowhere"), "cannot be read"),
        (MANAGER.replace("/am/", "/api/v2/alerts"), "more than the Alertmanager's own address"),
        (format!("{HOOK}, rate: 0"), "not a whole number from 1 to 1000"),
    ] {
        let complaint = targets(&[&target]).complaint();
        assert!(complaint.starts_with("picket.yaml:5:"), "{target}: {complaint}");
        assert!(
            complaint.contains(said) && complaint.contains("\n      = "),
            "{target}: {complaint}"
        );
    }
    let twice = targets(&[HOOK, HOOK]).complaint();
    assert!(twice.starts_with("picket.yaml:6:"), "{twice}");
    for (section, said) in [
        ("  targets: []\n", "0 targets are named"),
        ("  outbox: x.db\n  targets: []\n", "no place for the outbox"),
        ("  give_up_after: 1s\n  targets: []\n", "not from 1m to 30d"),
        ("  outbox: /x\n", "`targets` is missing"),
    ] {
        let complaint = files(section).complaint();
        assert!(complaint.contains(said), "{complaint}");
    }
}

#[test]
fn a_secret_file_is_refused_when_others_may_read_it_or_it_holds_no_secret_and_is_not_quoted() {
    let files = targets(&[HOOK]);
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(files.path("soc.secret"), fs::Permissions::from_mode(mode)).unwrap();
        let complaint = files.complaint();
        assert!(complaint.contains("chmod 600 soc.secret"), "{complaint}");
        assert!(complaint.starts_with("picket.yaml:5:"), "{complaint}");
    }
    fs::set_permissions(files.path("soc.secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let good = SECRET.trim();
    for bad in [
        String::new(),
        "hunter2".to_owned(),
        "whsec_c2hvcnQ=".to_owned(),
        "whsec_!!!!".to_owned(),
        format!("{good}\n{good}\n{good}\n{good}"),
        "x".repeat(20_000),
    ] {
        fs::write(files.path("soc.secret"), &bad).unwrap();
        let complaint = files.complaint();
        assert!(complaint.contains("soc.secret`"), "{complaint}");
        assert!(bad.is_empty() || !complaint.contains(&bad), "{complaint}");
    }
    fs::remove_file(files.path("soc.secret")).unwrap();
    assert!(files.complaint().contains("soc.secret` cannot be read"));
}
