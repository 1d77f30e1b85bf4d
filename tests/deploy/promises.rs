//! What the rendered objects say of themselves, beyond their shape.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use picket_tests::picket;
use serde_json::{Value, json};

use super::kustomize::{OVERLAYS, objects, only, place, text};

/// Picket's pod, as a DaemonSet and as a sidecar.
fn pods() -> [(Value, Value); 2] {
    let node = only("base", "DaemonSet")["spec"]["template"]["spec"].clone();
    let plugin = only("example/sidecar", "Deployment")["spec"]["template"]["spec"].clone();
    let (container, sidecar) = (node["containers"][0].clone(), plugin["initContainers"][0].clone());
    [(node, container), (plugin, sidecar)]
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn nothing_is_privileged_or_may_become_it() {
    for (pod, container) in pods() {
        let security = &container["securityContext"];
        assert_eq!(security["privileged"], false);
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(pod["hostNetwork"], Value::Null);
    }
    for overlay in OVERLAYS {
        assert!(!text(overlay).contains("privileged: true"), "{overlay}");
    }
}

#[test]
fn the_api_server_is_never_asked_so_no_right_and_no_token_is_given() {
    for overlay in OVERLAYS {
        for object in objects(overlay) {
            let kind = object["kind"].as_str().unwrap();
            assert!(!kind.contains("Role"), "{overlay}: {kind}");
        }
    }
    assert_eq!(only("base", "ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(pods()[0].0["automountServiceAccountToken"], false);
}

#[test]
fn what_is_rendered_adds_the_capabilities_that_the_guests_run_with() {
    // `tests/node` reads these two files.
    let files = ["base/daemonset.yaml", "components/sidecar/sidecar.yaml"];
    for ((_, container), file) in pods().iter().zip(files) {
        let text = fs::read_to_string(place().join(file)).unwrap();
        let source: Value = serde_saphyr::from_str(&text).unwrap();
        let pod = &source["spec"]["template"]["spec"];
        let own = pod.get("containers").unwrap_or(&pod["initContainers"]);
        let of = |container: &Value| container["securityContext"]["capabilities"]["add"].clone();
        assert_eq!(of(container), of(&own[0]), "{file}");
        assert!(!names(&of(container)).contains("SYS_ADMIN"), "{file}");
    }
}

#[test]
fn only_the_cgroup_tree_of_the_node_is_writable() {
    for (pod, container) in pods() {
        for mount in container["volumeMounts"].as_array().unwrap() {
            let volumes = pod["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
            let of_the_node = volume["hostPath"]["path"].as_str();
            let writable = mount["readOnly"] != true;
            assert_eq!(
                writable && volume.get("emptyDir").is_none(),
                of_the_node == Some("/sys/fs/cgroup"),
                "{mount}"
            );
        }
    }
}

#[test]
fn the_sidecar_is_native_and_comes_before_every_other_container_of_its_pod() {
    let [_, (pod, sidecar)] = pods();
    assert_eq!((&sidecar["name"], &sidecar["restartPolicy"]), (&"picket".into(), &"Always".into()));
    assert_eq!(pod["initContainers"][1]["name"], "fetch");
    assert_eq!(sidecar["startupProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(pod["hostPID"], Value::Null, "the plugin would see the node's processes");
}

#[test]
fn scrapers_and_network_policies_mean_a_port_that_there_is() {
    let (_, container) = &pods()[0];
    let ports: Vec<&Value> =
        container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
    let monitor = only("example/node", "PodMonitor");
    let policy = only("example/node", "NetworkPolicy");
    let service = only("base", "Service");
    for port in [
        &monitor["spec"]["podMetricsEndpoints"][0]["port"],
        &policy["spec"]["ingress"][0]["ports"][0]["port"],
        &service["spec"]["ports"][0]["targetPort"],
    ] {
        assert!(ports.contains(&port), "{port}");
    }
}

/// A mounted ConfigMap of the overlay, and the place in it that the daemon is told.
#[track_caller]
fn accepted(overlay: &str, name: &str) {
    let directory = tempfile::tempdir().unwrap();
    let manifests = directory.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    for object in objects(overlay) {
        if object["kind"] == "ConfigMap" && object["metadata"]["name"] == "picket-manifests" {
            for (file, text) in object["data"].as_object().into_iter().flatten() {
                fs::write(manifests.join(file), text.as_str().unwrap()).unwrap();
            }
        }
        if object["kind"] == "ConfigMap" && object["metadata"]["name"] == name {
            let text = object["data"]["picket.yaml"].as_str().unwrap();
            assert!(text.contains("/etc/picket/manifests"), "{text}");
            let here = text.replace("/etc/picket/manifests", manifests.to_str().unwrap());
            fs::write(directory.path().join("picket.yaml"), here).unwrap();
        }
    }
    let file = directory.path().join("picket.yaml");
    let output = picket().args(["config", "check"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{overlay}: {said}");
}

#[test]
fn picket_accepts_the_configuration_and_the_manifests_of_every_overlay() {
    accepted("base", "picket-config");
    accepted("example/node", "picket-config");
    accepted("example/sidecar", "picket-sidecar");
}

#[test]
fn the_configuration_is_where_the_arguments_say() {
    for (_, container) in pods() {
        let arguments = names(&container["args"]).into_iter().map(str::to_owned);
        let config = arguments.into_iter().find(|word| word.ends_with("picket.yaml")).unwrap();
        let directory = Path::new(&config).parent().unwrap().to_str().unwrap();
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().any(|mount| mount["mountPath"] == directory), "{config}");
    }
}
