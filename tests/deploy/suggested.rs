//! A NetworkPolicy that is suggested of a baseline: `kubectl` reads it, Kubernetes' schema judges it.

use std::fs;

use picket::baseline::{self, Deployment, Entry, Identity, Package};
use picket::document::Digest;
use picket_engine::baseline::{Baseline, Family, Run, RunId};
use picket_engine::learned::PluginTime;
use picket_tests::picket;

use super::kustomize::{complaints, render};

/// Of everything that a policy can and cannot say.
const REACHED: [&str; 9] = [
    "connect 10.1.2.0/24 tcp 443",
    "connect 10.1.2.0/24 tcp 8443",
    "connect 2001:db8:1::/48 tcp 443",
    "connect 127.0.0.0/24 tcp 80",
    "connect 10.1.2.0/24 protocol-132 5000",
    "send 10.96.0.0/24 udp 53",
    "send 224.0.0.0/24 udp 5353",
    "bind 0.0.0.0/24 tcp 8080",
    "bind ::/48 udp ephemeral",
];

/// The policy that is suggested for a plugin that reached these.
#[track_caller]
fn suggested(reached: &[&str], more: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"any");
    let identity = Identity {
        plugin: "weather_plugin".to_owned(),
        artifact: digest,
        manifest: digest,
        deployment: Deployment::parse("edge").unwrap(),
    };
    let mut run = Run::new(1_700_000_000, PluginTime::from_millis(1000), true, 1);
    reached.iter().for_each(|template| run.count(Family::Destination, template, 1));
    let mut learned = Baseline::new(identity.subject());
    learned.learn(RunId([1; 16]), &run);
    let key = identity.key();
    let mut package = Package::new();
    package.add(Entry { identity, baseline: learned });
    let file = directory.path().join("weather.baselines");
    baseline::write(&package, &mut fs::File::create(&file).unwrap()).unwrap();
    let ask = |words: &[&str]| {
        let mut command = picket();
        command.arg("baseline").args(words).args(["--store", "s.db"]);
        let output = command.current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    ask(&["import", "weather.baselines"]);
    ask(&[&["suggest", &key, "--as", "network-policy"], more].concat())
}

#[test]
fn a_suggested_policy_is_read_by_kubectl_and_fits_kubernetes_schema_strictly() {
    for reached in [&REACHED[..], &[], &REACHED[8..], &REACHED[7..8]] {
        for more in [&[][..], &["--selector", "app=web,example.com/tier=back"]] {
            let policy = suggested(reached, more);
            assert_eq!(complaints(&policy), None, "{policy}");
            let rendered = render(&policy);
            assert!(rendered.contains("kind: NetworkPolicy"), "{rendered}");
            assert_eq!(complaints(&rendered), None, "{rendered}");
        }
    }
}

#[test]
fn a_suggested_policy_with_a_fault_is_complained_about() {
    let good = suggested(&REACHED, &[]);
    for (right, wrong) in [
        ("podSelector", "podSelektor"),
        ("ipBlock", "ipblock"),
        ("protocol: TCP", "protokol: TCP"),
        ("port: 443", "port: [443]"),
        ("policyTypes: [Egress, Ingress]", "policyTypes: Egress"),
    ] {
        assert!(good.contains(right), "{right}: {good}");
        assert!(complaints(&good.replace(right, wrong)).is_some(), "{wrong} passed");
    }
}
