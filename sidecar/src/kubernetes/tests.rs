//! Every shape of path and name there is, and that nothing else is taken for one.

use std::path::Path;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Driver {
    Systemd,
    Cgroupfs,
    Mixed,
}

/// The path as kubelet and runtime write it; `None` where that pair writes none.
fn path(driver: Driver, nested: &str, prefix: &str, container: &Container) -> Option<String> {
    let Container { pod, qos, runtime, id } = container;
    let class = match qos {
        Qos::Guaranteed => "",
        Qos::Burstable => "burstable",
        Qos::BestEffort => "besteffort",
    };
    let dashed = if class.is_empty() { String::new() } else { format!("-{class}") };
    let below = if class.is_empty() { String::new() } else { format!("{class}/") };
    let called = match runtime {
        Runtime::Containerd => "cri-containerd",
        Runtime::CriO => "crio",
        Runtime::Docker => "docker",
        Runtime::Unsaid => "",
    };
    let slice = format!("{prefix}kubepods{dashed}-pod{}.slice", pod.replace('-', "_"));
    match (driver, runtime) {
        (Driver::Systemd | Driver::Mixed, Runtime::Unsaid) => None,
        (Driver::Systemd, _) => {
            let class = if class.is_empty() {
                String::new()
            } else {
                format!("{prefix}kubepods{dashed}.slice/")
            };
            Some(format!("{nested}/{prefix}kubepods.slice/{class}{slice}/{called}-{id}.scope"))
        }
        (Driver::Mixed, _) => Some(format!("{nested}/system.slice/{slice}:{called}:{id}")),
        (Driver::Cgroupfs, Runtime::Unsaid) => {
            Some(format!("{nested}/kubepods/{below}pod{pod}/{id}"))
        }
        (Driver::Cgroupfs, Runtime::CriO) => {
            Some(format!("{nested}/kubepods/{below}pod{pod}/crio-{id}"))
        }
        (Driver::Cgroupfs, _) => None,
    }
}

fn containers() -> impl Strategy<Value = Container> {
    let uid = prop_oneof![
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9a-f]{32}",
    ];
    let qos = prop_oneof![Just(Qos::Guaranteed), Just(Qos::Burstable), Just(Qos::BestEffort)];
    let runtime = prop_oneof![
        Just(Runtime::Containerd),
        Just(Runtime::CriO),
        Just(Runtime::Docker),
        Just(Runtime::Unsaid)
    ];
    (uid, qos, runtime, "[0-9a-f]{64}").prop_map(|(pod, qos, runtime, id)| Container {
        pod,
        qos,
        runtime,
        id,
    })
}

fn places() -> impl Strategy<Value = (Driver, &'static str, &'static str)> {
    let driver = prop_oneof![Just(Driver::Systemd), Just(Driver::Cgroupfs), Just(Driver::Mixed)];
    let nested = prop_oneof![
        Just(""),
        Just("/kubelet.slice"),
        Just("/system.slice/docker-5f1d.scope/kubelet"),
        Just("/docker/5f1d/kubelet.slice"),
    ];
    (driver, nested, prop_oneof![Just(""), Just("kubelet-"), Just("a-b-")])
}

proptest! {
    #[test]
    fn what_kubelet_and_runtime_write_into_a_path_is_read_back(
        container in containers(),
        (driver, nested, prefix) in places(),
    ) {
        let Some(path) = path(driver, nested, prefix, &container) else { return Ok(()) };
        prop_assert_eq!(Container::at(path.as_bytes()), Some(container));
        // What is below belongs to it, whatever it is called, also when it is a whole tree of pods.
        let below = format!("{path}{path}");
        prop_assert_eq!(Container::at(below.as_bytes()), None);
        prop_assert!(!Container::may_be_below(path.as_bytes()) && !Container::may_be_below(below.as_bytes()));
        // On the way down to it every directory is looked into.
        for above in Path::new(&path).ancestors().skip(1) {
            prop_assert!(Container::may_be_below(above.as_os_str().as_encoded_bytes()));
        }
        let pod = own_pod(Path::new(&below));
        let parent = Path::new(&path).parent().map(Path::to_owned);
        prop_assert_eq!(pod, parent.filter(|_| !matches!(driver, Driver::Mixed)));
    }

    #[test]
    fn no_bytes_make_reading_a_path_panic_and_none_are_a_container(bytes: Vec<u8>) {
        prop_assert_eq!(Container::at(&bytes), None);
    }

    #[test]
    fn a_path_with_one_character_changed_is_no_container_or_another_one(
        container in containers(),
        (driver, nested, prefix) in places(),
        at: prop::sample::Index,
        with in prop::char::range(' ', '~'),
    ) {
        let Some(path) = path(driver, nested, prefix, &container) else { return Ok(()) };
        let at = at.index(path.len());
        let mut changed: Vec<char> = path.chars().collect();
        changed[at] = with;
        let changed: String = changed.into_iter().collect();
        if let Some(found) = Container::at(changed.as_bytes()) {
            let prefix = |text: &str| text.find("kubepods").unwrap();
            prop_assert!(changed == path || found != container || at < prefix(&path));
        }
    }

    #[test]
    fn no_bytes_make_a_name_panic_and_what_is_none_is_counted(entries: Vec<Vec<u8>>) {
        let mut names = Names::default();
        for entry in &entries {
            names.pod(entry);
            names.container(entry);
            names.pod_gone(entry);
            names.container_gone(entry);
        }
        prop_assert_eq!(names.refused(), 2 * entries.len() as u64);
    }

    #[test]
    fn the_controllers_name_is_among_the_candidates_of_its_pods(
        name in "[a-z]([-a-z0-9]{0,20}[a-z0-9])?",
        hash in "[bcdfghjklmnpqrstvwxz2456789]{1,10}",
        made_up in "[bcdfghjklmnpqrstvwxz2456789]{5}",
        ordinal: u16,
        minutes in 27_000_000..40_000_000_u32,
    ) {
        for pod in [
            name.clone(),
            format!("{name}-{ordinal}"),
            format!("{name}-{made_up}"),
            format!("{name}-{hash}-{made_up}"),
            format!("{name}-{minutes}-{made_up}"),
            format!("{name}-{minutes}-{ordinal}-{made_up}"),
        ] {
            let found = workloads(&pod);
            prop_assert!(found.contains(&name.as_str()), "{} {:?}", pod, found);
            prop_assert_eq!(found[0], &pod);
            prop_assert!(found.is_sorted_by(|one, next| next.len() < one.len()));
            prop_assert!(found.iter().all(|one| pod.starts_with(one)));
        }
    }

    #[test]
    fn a_binding_is_what_its_file_is_called(
        namespace in "[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?",
        workload in "[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?(\\.[a-z0-9]{1,9})?",
        container in "[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?",
    ) {
        let binding = Binding { namespace, workload, container };
        prop_assert_eq!(Binding::of_file(&format!("{binding}.yaml")), Ok(binding));
    }
}

#[test]
fn what_only_looks_like_a_container_is_none() {
    let (uid, id) = ("0a1b2c3d-0001-0002-0003-0123456789ab", "5".repeat(64));
    let pod = format!("/kubepods/burstable/pod{uid}");
    let underscored = uid.replace('-', "_");
    let slice = format!("kubepods-burstable-pod{underscored}.slice");
    let inside = format!("/kubepods.slice/kubepods-burstable.slice/{slice}");
    assert!(Container::at(format!("{pod}/{id}").as_bytes()).is_some());
    assert!(Container::at(format!("{inside}/crio-{id}.scope").as_bytes()).is_some());
    for none in [
        "/".to_owned(),
        pod.clone(),
        format!("{pod}/{id}/"),
        format!("{pod}/crio-conmon-{id}"),
        format!("{inside}/crio-conmon-{id}.scope"),
        format!("{inside}/libpod-{id}.scope"),
        format!("{inside}/cri-containerd-{id}.service"),
        format!("{inside}/cri-containerd-{}.scope", "5".repeat(63)),
        format!("{inside}/cri-containerd-{}.scope", "A".repeat(64)),
        // The slices above do not fit the pod's.
        format!("/kubepods.slice/{slice}/crio-{id}.scope"),
        format!("/other.slice/kubepods-burstable.slice/{slice}/crio-{id}.scope"),
        format!("/kubepods-burstable.slice/{slice}/crio-{id}.scope"),
        format!("/kubepods/guaranteed/pod{uid}/{id}"),
        format!("/mykubepods/pod{uid}/{id}"),
        format!("/kubepods/pod{underscored}/{id}"),
        format!("/kubepods.slice/mykubepods-pod{underscored}.slice/crio-{id}.scope"),
        // A container of Docker's, of no pod.
        format!("/system.slice/docker-{id}.scope"),
        format!("/{slice}:crio-conmon:{id}"),
    ] {
        assert_eq!(Container::at(none.as_bytes()), None, "{none}");
    }
}

/// What the kubelet writes for one container.
struct Kubelet {
    pod: String,
    link: String,
    cgroup: Container,
}

fn kubelet(number: u32) -> Kubelet {
    let uid = format!("{number:08x}-0000-4000-8000-{:012x}", u64::from(number) * 7);
    let id = format!("{number:064x}");
    Kubelet {
        pod: format!("shop_web-{number}_{uid}"),
        link: format!("web-{number}_shop_app-{id}.log"),
        cgroup: Container { pod: uid, qos: Qos::Guaranteed, runtime: Runtime::Unsaid, id },
    }
}

#[test]
fn a_container_is_named_by_pod_directory_and_link_together() {
    let Kubelet { pod, link, cgroup } = kubelet(3);
    let mut names = Names::default();
    names.container(link.as_bytes());
    assert_eq!(names.of(&cgroup), Named::Not);
    names.pod(pod.as_bytes());
    let [namespace, pod_name, container] = ["shop", "web-3", "app"].map(str::to_owned);
    let fully = Named::Fully { namespace: namespace.clone(), pod: pod_name.clone(), container };
    assert_eq!(names.of(&cgroup), fully);
    names.container_gone(link.as_bytes());
    assert_eq!(names.of(&cgroup), Named::Pod { namespace, pod: pod_name });
    names.pod_gone(pod.as_bytes());
    assert_eq!((names.of(&cgroup), names.refused()), (Named::Not, 0));
}

#[test]
fn a_link_of_another_pod_names_nobody() {
    let (one, other) = (kubelet(1), kubelet(2));
    let mut names = Names::default();
    names.pod(one.pod.as_bytes());
    names.container(other.link.replace(&other.cgroup.id, &one.cgroup.id).as_bytes());
    assert_eq!(names.of(&one.cgroup), Named::Not);
}

#[test]
fn names_that_kubernetes_would_not_take_are_refused() {
    let uid = "0a1b2c3d-0001-0002-0003-0123456789ab";
    let id = "5".repeat(64);
    let mut names = Names::default();
    let pods = [
        format!("a_b_{}", &uid[1..]),
        format!("a_b_c_{uid}"),
        format!("A_b_{uid}"),
        format!("-a_b_{uid}"),
        format!("a_b/../c_{uid}"),
        format!("a_.b_{uid}"),
        format!("a_b\n_{uid}"),
        format!("a_{}_{uid}", "b".repeat(254)),
        format!("{}_b_{uid}", "a".repeat(64)),
        "..".to_owned(),
    ];
    let links = [
        format!("b_a_c-{id}"),
        format!("b_a_c-{}.log", &id[1..]),
        format!("b_a_c.d-{id}.log"),
        format!("b_a_-{id}.log"),
        format!("b_a_c\u{1b}[2J-{id}.log"),
    ];
    pods.iter().for_each(|entry| names.pod(entry.as_bytes()));
    links.iter().for_each(|entry| names.container(entry.as_bytes()));
    assert_eq!(names.refused(), (pods.len() + links.len()) as u64);
}

#[test]
fn ten_thousand_containers_that_come_and_go_are_all_named_and_leave_nothing() {
    let mut names = Names::default();
    for number in 0..10_000 {
        let Kubelet { pod, link, cgroup } = kubelet(number);
        names.pod(pod.as_bytes());
        names.container(link.as_bytes());
        assert!(matches!(names.of(&cgroup), Named::Fully { .. }), "{number}");
        if let Some(former) = number.checked_sub(200) {
            let Kubelet { pod, link, cgroup } = kubelet(former);
            names.container_gone(link.as_bytes());
            names.pod_gone(pod.as_bytes());
            assert_eq!(names.of(&cgroup), Named::Not);
        }
    }
    assert_eq!((names.len(), names.refused()), ((200, 200), 0));
}

#[test]
fn a_directory_with_a_million_names_is_kept_to_its_bound() {
    let mut names = Names::default();
    for number in 0..1_000_000 {
        names.container(kubelet(number).link.as_bytes());
    }
    assert_eq!((names.len(), names.refused()), ((0, 65_536), 1_000_000 - 65_536));
}

#[test]
fn candidates_are_what_the_naming_rules_of_controllers_allow() {
    for (pod, expected) in [
        ("web", &["web"][..]),
        ("web-0", &["web-0", "web"]),
        ("web-x7k2p", &["web-x7k2p", "web"]),
        ("web-5d4f8c7b9-x7k2p", &["web-5d4f8c7b9-x7k2p", "web-5d4f8c7b9", "web"]),
        ("nightly-28412345-x7k2p", &["nightly-28412345-x7k2p", "nightly-28412345", "nightly"]),
        // A vowel, a leading zero: no part that Kubernetes makes up.
        ("web-x7k2a", &["web-x7k2a"]),
        ("web-01", &["web-01"]),
        ("-0", &["-0"]),
    ] {
        assert_eq!(workloads(pod), expected);
    }
}

#[test]
fn a_file_that_is_no_binding_says_which_part_is_none() {
    for (name, why) in [
        ("README", NoBinding::Ending),
        ("shop_web_app.yml", NoBinding::Ending),
        ("web.yaml", NoBinding::Parts),
        ("a_b_c_d.yaml", NoBinding::Parts),
        ("Shop_web_app.yaml", NoBinding::Namespace),
        ("shop_.web_app.yaml", NoBinding::Workload),
        ("shop_web_.yaml", NoBinding::Container),
    ] {
        assert_eq!(Binding::of_file(name), Err(why), "{name}");
    }
}
