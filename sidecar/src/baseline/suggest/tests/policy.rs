//! NetworkPolicies.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::Value;

use super::{
    super::network_policy::{Selector, policy},
    *,
};

const DESTINATION: Family = Family::Destination;

fn of(entry: &Entry) -> Suggestion {
    policy(&source(entry), None, &BTreeSet::new()).unwrap()
}

fn of_these(destinations: &[&str]) -> Suggestion {
    let deeds: Vec<_> = destinations.iter().map(|one| (DESTINATION, *one)).collect();
    of(&entry(&deeds))
}

fn spec(suggestion: &Suggestion) -> Value {
    let policy: Value = serde_saphyr::from_str(&suggestion.text)
        .unwrap_or_else(|error| panic!("{error}\n{}", suggestion.text));
    policy["spec"].clone()
}

/// What a cluster would say: whether a pod may send to this port there. Without a rule that chooses it, it may not.
fn may_reach(spec: &Value, to: IpAddr, protocol: &str, port: u16) -> bool {
    assert!(spec["policyTypes"].as_array().unwrap().contains(&"Egress".into()));
    spec["egress"].as_array().unwrap().iter().any(|rule| {
        let networks = rule["to"].as_array().unwrap().iter();
        let mut networks = networks.map(|peer| peer["ipBlock"]["cidr"].as_str().unwrap());
        networks.any(|network| network.parse::<IpNet>().unwrap().contains(&to))
            && has_port(rule, protocol, port)
    })
}

fn has_port(rule: &Value, protocol: &str, port: u16) -> bool {
    let ports = rule["ports"].as_array().unwrap().iter();
    ports.clone().count() != 0
        && ports.into_iter().any(|one| one["protocol"] == protocol && one["port"] == port)
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    let suggestion = of_these(&[
        "connect 10.1.2.0/24 tcp 443",
        "send 10.9.0.0/24 udp 53",
        "bind 0.0.0.0/24 tcp 80",
    ]);
    let text: String = suggestion
        .text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    insta::assert_snapshot!(text, @r#"
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata:
      name: "weather-learned"
    spec:
      podSelector:
        # Taken from the plugin's name; --selector KEY=VALUE says another one.
        matchLabels:
          "app.kubernetes.io/name": "weather"
      policyTypes: [Egress, Ingress]
      egress:
        - to:
            - ipBlock: { cidr: "10.1.2.0/24" }
          ports:
            - { protocol: TCP, port: 443 }  # 1 time in 1 run
        - to:
            - ipBlock: { cidr: "10.9.0.0/24" }
          ports:
            - { protocol: UDP, port: 53 }  # DNS; 1 time in 1 run
      ingress:
        # Who connected is not learned: these ports are open to everybody. Add `from`.
        -
          ports:
            - { protocol: TCP, port: 80 }  # 1 time in 1 run
    "#);
    assert_eq!(left(&suggestion), Vec::<&str>::new());
}

#[test]
fn a_plugin_that_reaches_nobody_may_reach_nobody() {
    let spec = spec(&of_these(&[]));
    assert_eq!((&spec["egress"], &spec["ingress"]), (&serde_json::json!([]), &Value::Null));
    assert_eq!(spec["policyTypes"], serde_json::json!(["Egress"]));
    assert!(of_these(&[]).text.contains("No look-up of names by DNS was seen"));
}

#[test]
fn what_a_policy_cannot_say_is_said_beside_it() {
    let cases = [
        ("connect 127.0.0.0/24 tcp ephemeral", "loopback"),
        ("connect ::/48 tcp 80", "loopback"),
        ("bind 127.0.0.0/24 tcp 80", "loopback"),
        ("bind 0.0.0.0/24 udp ephemeral", "another one every time"),
        ("bind 0.0.0.0/24 tcp 0", "another one every time"),
        ("send 224.0.0.0/24 udp 5353", "multicast"),
        ("send 255.255.255.0/24 udp 67", "broadcast"),
        ("connect 10.0.0.0/24 protocol-33 5", "only TCP, UDP and SCTP"),
        ("connect 169.254.169.0/24 tcp 80", "credentials"),
        ("what no Picket\u{2028}wrote", "not understood"),
    ];
    for (template, why) in cases {
        let suggestion = of_these(&[template]);
        let [left] = suggestion.left.as_slice() else { panic!("{template}: {suggestion:?}") };
        assert!(left.why.contains(why), "{left:?}");
        assert!(suggestion.text.contains(&format!("# Seen and left out: {}: ", left.what)));
        assert_eq!(spec(&suggestion)["egress"], serde_json::json!([]), "{template}");
        assert!(suggestion.text.chars().all(|one| one == '\n' || !one.is_control()), "{template}");
        assert!(!suggestion.text.contains('\u{2028}'));
    }
    let others = entry(&[
        (Family::Deed, "socket raw"),
        (Family::Deed, "peer connect outside"),
        (Family::Deed, "entered"),
    ]);
    assert_eq!(left(&of(&others)), ["peer connect outside", "socket raw"]);
    let names = BTreeSet::from(["api.example.com".to_owned()]);
    let named = policy(&source(&entry(&[])), None, &names).unwrap();
    assert!(
        named.text.contains("left out: api.example.com: the manifest's name"),
        "{}",
        named.text
    );
}

#[test]
fn what_listens_on_no_port_that_can_be_told_is_let_in_nowhere() {
    let spec = spec(&of_these(&["bind 0.0.0.0/24 tcp ephemeral"]));
    assert_eq!(spec["policyTypes"], serde_json::json!(["Egress", "Ingress"]));
    assert_eq!(spec["ingress"], serde_json::json!([]));
}

#[test]
fn what_a_person_accepted_is_let_through_also_if_it_is_dangerous() {
    let metadata = "connect 169.254.169.0/24 tcp 80";
    let mut entry = entry(&[(DESTINATION, metadata)]);
    accept(&mut entry, DESTINATION, metadata);
    accept(&mut entry, DESTINATION, "connect 10.0.0.0/24 tcp 1");
    let suggestion = of(&entry);
    assert_eq!(left(&suggestion), Vec::<&str>::new());
    let spec = spec(&suggestion);
    assert!(may_reach(&spec, "169.254.169.254".parse().unwrap(), "TCP", 80));
    assert!(may_reach(&spec, "10.0.0.7".parse().unwrap(), "TCP", 1));
    assert!(suggestion.text.contains("accepted by a person, not seen"));
}

#[test]
fn the_pods_are_those_with_the_plugins_name_unless_others_are_said() {
    let entry = entry(&[]);
    let chosen = Selector::parse("app=web,example.com/tier=a.b_c").unwrap();
    let suggestion = policy(&source(&entry), Some(&chosen), &BTreeSet::new()).unwrap();
    let labels = &spec(&suggestion)["podSelector"]["matchLabels"];
    assert_eq!(*labels, serde_json::json!({ "app": "web", "example.com/tier": "a.b_c" }));
    for bad in [
        "",
        "app",
        "=x",
        "a b=c",
        "app=x\ny",
        "app=-x",
        "UP.com/x=y",
        "a=b,,",
        "a/b/c=d",
        "app=\"x\"",
    ] {
        let why = Selector::parse(bad).unwrap_err();
        assert!(why.contains("write KEY=VALUE"), "{bad:?}: {why}");
    }
}

#[test]
fn nothing_comes_of_destinations_that_were_forgotten() {
    let mut run = Run::new(0, PluginTime::from_millis(1), true, 1);
    run.fill(DESTINATION);
    let mut entry = entry(&[]);
    entry.baseline.learn(RunId([2; 16]), &run);
    let refused = policy(&source(&entry), None, &BTreeSet::new()).unwrap_err();
    assert_eq!(refused, SuggestError::Full { family: DESTINATION });
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits))),
        any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits))),
        (0_u8..4, any::<u8>()).prop_map(|(net, host)| IpAddr::from([10, 0, net, host])),
    ]
}

proptest! {
    #[test]
    fn every_learned_destination_may_be_reached_and_no_other(
        learned in prop::collection::vec((address(), prop::sample::select(&["tcp", "udp"][..]), 1_u16..6), 0..8),
        other in (address(), prop::sample::select(&["tcp", "udp"][..]), 1_u16..6),
    ) {
        // The template of an address, as the engine writes it.
        let counted = |address: IpAddr| {
            let bits = if address.is_ipv4() { 24 } else { 48 };
            IpNet::new(address, bits).unwrap().trunc()
        };
        let template = |(address, protocol, port): &(IpAddr, &str, u16)| {
            format!("connect {} {protocol} {port}", counted(*address))
        };
        let templates: BTreeSet<String> = learned.iter().map(template).collect();
        let suggestion = of_these(&templates.iter().map(String::as_str).collect::<Vec<_>>());
        let left: BTreeSet<String> = suggestion.left.iter().map(|left| left.what.clone()).collect();
        let spec = spec(&suggestion);
        for one @ (address, protocol, port) in learned.iter().chain([&other]) {
            let template = template(one);
            let known = templates.contains(&template) && !left.contains(&template);
            let may = may_reach(&spec, *address, &protocol.to_uppercase(), *port);
            prop_assert_eq!(may, known, "{}\n{}", template, &suggestion.text);
        }
        let private = |left: &String| left.starts_with("connect 10.");
        prop_assert!(!left.iter().any(private), "{:?}", left);
    }
}
