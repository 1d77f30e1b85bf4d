//! Containers of Kubernetes: named, judged by the manifest bound to them, and no others.
//!
//! No kubelet can be had here, so its part is made: cgroups as the cgroupfs driver makes them, below one of the test's
//! own, and the directories of logs. Everything else is real.

mod node;
mod root;

use std::fs;

use picket_tests::wait_until;
use serde_json::Value;

use super::daemon::stage::Daemon;
use super::plugin::LINGER;
use node::{Container, Node};

/// A pod of a Deployment `web`.
const POD: &str = "web-5d4f8c7b9-x7k2p";

/// Reads what no manifest declares.
fn deed() -> String {
    format!("cat secret; touch done; {LINGER}")
}

/// The same when it is told to.
fn deed_when_told() -> String {
    format!("while [ ! -e go ]; do sleep 0.02; done; {}", deed())
}

#[track_caller]
fn assert_frozen(node: &Node, daemon: &Daemon, container: &Container) {
    wait_until("a freeze", || node.is_frozen(container));
    let finding = daemon.await_one("finding", |_| true);
    assert_eq!(finding["reason"], "undeclared_path", "{finding}");
}

#[test]
fn a_container_is_judged_by_the_manifest_bound_to_its_names_and_others_are_let_be() {
    let mut node = Node::new("node");
    node.bind("shop_web_app");
    let daemon = node.stage.watching();
    let pod = node.pod("shop", POD);
    let [app, proxy] = ["app", "proxy"].map(|name| node.container(&pod, name));
    for container in [&app, &proxy] {
        node.enter(container, &deed());
        node.name(container);
    }
    let sandbox = daemon.await_watched_as(&format!("shop/{POD}/app"));
    let receipt = daemon.await_about("receipt", &sandbox);
    assert_eq!(receipt["step"], "freeze");
    assert_frozen(&node, &daemon, &app);
    assert!(!node.is_frozen(&proxy));
    wait_until("it is passed over", || node.passed_over(&proxy).as_deref() == Some("unbound"));
    assert!(!daemon.counts("picket_containers_not_judged{state=\"unbound\"} 0"));
    let status = node.status(&["--output", "json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let names = &status["sandboxes"][0]["kubernetes"];
    for (key, value) in
        [("namespace", "shop"), ("workload", "web"), ("pod", POD), ("container", "app")]
    {
        assert_eq!(names[key], value);
    }
    let page = node.status(&["--containers"]);
    assert!(page.contains(&format!("shop/{POD}/app\n")), "{page}");
    assert!(page.contains(&format!("unbound: shop/{POD}/proxy in /")), "{page}");
}

#[test]
fn what_a_container_does_before_its_name_is_known_is_judged_when_it_is() {
    let mut node = Node::new("node");
    node.bind("shop_web_app");
    let daemon = node.stage.watching();
    let pod = node.pod("shop", POD);
    let app = node.container(&pod, "app");
    wait_until("it is reported about", || node.is_held(&app));
    node.enter(&app, &deed());
    wait_until("its deed", || node.stage.plugin.path("done").exists());
    assert!(!node.is_frozen(&app));
    let page = node.status(&[]);
    assert!(page.contains("its name or its root is not known yet; what it does is kept"), "{page}");
    node.name(&app);
    assert_frozen(&node, &daemon, &app);
    assert!(daemon.of("finding").iter().all(|finding| finding["reason"] != "telemetry_lost"));
}

#[test]
fn a_container_that_has_ended_before_it_has_a_name_is_judged_all_the_same() {
    let mut node = Node::new("node");
    node.bind("shop_web_app");
    let daemon = node.stage.watching();
    let pod = node.pod("shop", POD);
    let app = node.container(&pod, "app");
    wait_until("it is reported about", || node.is_held(&app));
    node.enter(&app, "cat secret; touch done");
    wait_until("its deed", || node.stage.plugin.path("done").exists());
    node.stage.remove(&app.path);
    // Found later than the other is found to be gone, which is held all the same.
    let other = node.container(&pod, "other");
    wait_until("both are reported about", || node.is_held(&other));
    assert!(node.is_held(&app));
    node.name(&app);
    let sandbox = daemon.await_watched_as(&format!("shop/{POD}/app"));
    daemon.await_one("finding", |finding| {
        finding["sandbox"] == sandbox && finding["deed"].as_str().unwrap().contains("/secret")
    });
    daemon.await_about("forgotten", &sandbox);
}

#[test]
fn a_container_that_never_gets_a_name_is_passed_over_and_judged_once_it_has_one() {
    let mut node = Node::new("node");
    node.bind("shop_web_app");
    let daemon = node.stage.watching();
    let pod = node.pod("shop", POD);
    // As the one that holds the pod's namespaces.
    let pause = node.container(&pod, "pause");
    node.enter(&pause, &deed());
    wait_until("it is given up", || node.passed_over(&pause).as_deref() == Some("unnamed"));
    assert!(!node.is_frozen(&pause) && daemon.of("watched").is_empty());
    node.rename(&pause, "app");
    let sandbox = daemon.await_watched_as(&format!("shop/{POD}/app"));
    daemon.await_about("found", &sandbox);
    assert_eq!(node.passed_over(&pause), None);
}

#[test]
fn containers_that_were_there_before_picket_are_judged_from_its_start() {
    let mut node = Node::new("node");
    node.bind("shop_web_app");
    let pod = node.pod("shop", "web-0");
    let app = node.container(&pod, "app");
    node.name(&app);
    node.enter(&app, &deed_when_told());
    wait_until("a process in it", || {
        fs::read_to_string(node.place(&app).join("cgroup.procs")).is_ok_and(|all| !all.is_empty())
    });
    let daemon = node.stage.watching();
    let sandbox = daemon.await_watched_as("shop/web-0/app");
    daemon.await_about("found", &sandbox);
    node.stage.plugin.write("go", "");
    assert_frozen(&node, &daemon, &app);
}

#[test]
fn a_manifest_that_appears_or_goes_binds_and_releases_what_runs() {
    let mut node = Node::new("node");
    let daemon = node.stage.watching();
    let pod = node.pod("shop", "web-0");
    let app = node.container(&pod, "app");
    node.name(&app);
    node.enter(&app, LINGER);
    wait_until("it is passed over", || node.passed_over(&app).as_deref() == Some("unbound"));
    node.bind("shop_web_app");
    daemon.await_watched_as("shop/web-0/app");
    assert_eq!(node.passed_over(&app), None);
    fs::remove_file(node.manifest("shop_web_app")).unwrap();
    daemon.await_count("forgotten", 1);
    wait_until("it is passed over", || node.passed_over(&app).as_deref() == Some("unbound"));
}

#[test]
fn a_config_map_that_is_swapped_is_noticed() {
    let mut node = Node::new("node");
    node.swap("one", &["shop_web_app"]);
    let daemon = node.stage.watching();
    let pod = node.pod("shop", "web-0");
    let [app, proxy] = ["app", "proxy"].map(|name| node.container(&pod, name));
    for container in [&app, &proxy] {
        node.name(container);
        node.enter(container, LINGER);
    }
    daemon.await_watched_as("shop/web-0/app");
    node.swap("two", &["shop_web_proxy"]);
    daemon.await_watched_as("shop/web-0/proxy");
    daemon.await_count("forgotten", 1);
}

#[test]
fn a_bad_file_among_the_manifests_leaves_the_former_in_force() {
    let mut node = Node::new("node");
    node.bind("shop_web_app");
    let daemon = node.stage.watching();
    for (number, (name, text, complaint)) in [
        ("shop.yaml", "", "is not three names"),
        ("shop_mail_app.yaml", "version: 1\n", "shop_mail_app.yaml:1:1"),
    ]
    .into_iter()
    .enumerate()
    {
        let bad = node.stage.plugin.path("manifests").join(name);
        fs::write(&bad, text).unwrap();
        daemon.await_count("config_refused", number + 1);
        let refusal = daemon.of("config_refused").pop().unwrap();
        assert!(refusal["text"].as_str().unwrap().contains(complaint), "{refusal}");
        fs::remove_file(bad).unwrap();
        daemon.await_count("reloaded", number + 1);
    }
    let pod = node.pod("shop", "web-0");
    let app = node.container(&pod, "app");
    node.name(&app);
    node.enter(&app, &deed());
    assert_frozen(&node, &daemon, &app);
}

/// Picket in a container of a pod, beside another container of it and one of another pod, all of them bound.
fn sidecar(before: &[&str]) {
    let mut node = Node::new("pod");
    node.bind("shop_web_app");
    node.bind("shop_web_picket");
    let (pod, other) = (node.pod("shop", "web-0"), node.pod("shop", "web-1"));
    let own = node.container(&pod, "picket");
    let early = node.container(&pod, "app");
    let foreign = node.container(&other, "app");
    for container in [&own, &early, &foreign] {
        node.name(container);
    }
    let daemon = node.stage.daemon_in(&node.place(&own), before);
    daemon.await_one("watching", |_| true);
    node.enter(&early, &deed_when_told());
    daemon.await_watched_as("shop/web-0/app");
    node.enter(&foreign, &deed());
    wait_until("its deed", || node.stage.plugin.path("done").exists());
    node.stage.plugin.write("go", "");
    assert_frozen(&node, &daemon, &early);
    // What comes later into the other pod is not seen either.
    let late = [&other, &pod].map(|pod| node.container(pod, "app"));
    for container in &late {
        node.name(container);
        node.enter(container, &deed());
    }
    let [foreign_late, late] = late;
    wait_until("a freeze", || node.is_frozen(&late));
    assert!(!node.is_frozen(&foreign) && !node.is_frozen(&foreign_late) && !node.is_frozen(&own));
    // It is frozen before that it is watched has been read.
    daemon.await_count("watched", 2);
    let watched = daemon.of("watched");
    let is_ours =
        |report: &Value| report["text"].as_str().unwrap().starts_with("is shop/web-0/app ");
    assert!(watched.len() == 2 && watched.iter().all(is_ours), "{watched:?}");
    assert!(daemon.counts("picket_containers_not_judged{state=\"unbound\"} 0"));
    assert!(daemon.counts("picket_containers_not_judged{state=\"held\"} 0"));
}

#[test]
fn a_sidecar_watches_its_own_pod_and_neither_itself_nor_another_pod() {
    sidecar(&[]);
}

#[test]
fn a_sidecar_in_a_cgroup_namespace_of_its_own_finds_its_pod() {
    sidecar(&["/usr/bin/unshare", "--cgroup", "--"]);
}

#[test]
fn a_sidecar_that_is_in_no_pod_says_so_and_does_not_run() {
    let node = Node::new("pod");
    let mut daemon = node.stage.daemon();
    assert_eq!(daemon.code(), Some(1));
    let errors = daemon.errors();
    assert!(
        errors.contains("which belongs to no pod; run it as a container of the pod"),
        "{errors}"
    );
}

#[test]
fn a_node_whose_logs_are_not_there_is_refused_with_the_directory() {
    let node = Node::new("node");
    fs::remove_dir(node.stage.plugin.path("logs/containers")).unwrap();
    let mut daemon = node.stage.daemon();
    assert_eq!(daemon.code(), Some(1));
    let errors = daemon.errors();
    assert!(errors.contains("logs/containers: No such file"), "{errors}");
    assert!(errors.contains("mount the node's /var/log read-only"), "{errors}");
}
