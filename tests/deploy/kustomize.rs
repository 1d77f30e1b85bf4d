//! The real `kubectl` renders what users apply; Kubernetes' schemas judge it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Everything that can be applied as it is.
pub(crate) const OVERLAYS: [&str; 3] = ["base", "example/node", "example/sidecar"];

/// Kinds of other people's, of which Kubernetes has no schema.
const FOREIGN: [&str; 1] = ["PodMonitor"];

#[track_caller]
fn tool(variable: &str) -> Command {
    let Some(program) = env::var_os(variable) else {
        panic!("{variable} names no program; run these tests by `cargo xtask test deploy`");
    };
    Command::new(program)
}

pub(crate) fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kustomize")
}

/// An overlay as the API server would get it.
#[track_caller]
pub(crate) fn text(overlay: &str) -> String {
    let output = tool("KUBECTL").arg("kustomize").arg(place().join(overlay)).output().unwrap();
    assert!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `kubectl kustomize` makes of a resource.
#[track_caller]
pub(crate) fn render(resource: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("resource.yaml"), resource).unwrap();
    let list = "resources: [resource.yaml]\n";
    fs::write(directory.path().join("kustomization.yaml"), list).unwrap();
    let output = tool("KUBECTL").arg("kustomize").arg(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Its objects.
#[track_caller]
pub(crate) fn objects(overlay: &str) -> Vec<Value> {
    let text = text(overlay);
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// The one object of this kind.
#[track_caller]
pub(crate) fn only(overlay: &str, kind: &str) -> Value {
    let mut found: Vec<Value> = objects(overlay);
    found.retain(|object| object["kind"] == kind);
    assert_eq!(found.len(), 1, "{kind} of {overlay}");
    found.remove(0)
}

/// What the schemas say to a text: the complaints, none when it is good.
pub(crate) fn complaints(text: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rendered.yaml");
    fs::write(&file, text).unwrap();
    let output = tool("KUBERNETES_VALIDATE").arg("--strict").arg(&file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    // A kind without a schema is passed over, which must not pass for judged.
    for line in said.lines().filter(|line| line.contains("Couldn't find schema")) {
        assert!(FOREIGN.iter().any(|kind| line.contains(&format!("kind {kind} "))), "{line}");
    }
    (!output.status.success()).then_some(said)
}

#[test]
fn everything_that_can_be_applied_is_rendered_and_fits_kubernetes_schemas_strictly() {
    for overlay in OVERLAYS {
        assert_eq!(complaints(&text(overlay)), None, "{overlay}");
    }
}

#[test]
fn a_misspelt_field_and_a_value_of_another_type_are_complained_about() {
    let good = text("base");
    let faults = [
        ("hostPID: true", "hostPid: true"),
        ("hostPID: true", "hostPID: 1"),
        ("maxUnavailable: 1", "maxUnavailable: [1]"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("containerPort: 9464", "containerPort: metrics"),
    ];
    for (right, wrong) in faults {
        assert!(good.contains(right), "{right}");
        assert!(complaints(&good.replace(right, wrong)).is_some(), "{wrong} passed");
    }
}
