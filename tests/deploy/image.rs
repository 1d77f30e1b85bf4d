//! The image: what its Dockerfile builds, and that the words in it and in the pods fit together.
//!
//! That the build's own command makes a static binary which works in an empty root is `cargo xtask image`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::kustomize::only;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn dockerfile() -> String {
    fs::read_to_string(top().join("deploy/docker/Dockerfile")).unwrap()
}

/// The arguments of an instruction of the last stage, or of the first.
fn instruction<'a>(stage: &'a str, name: &str) -> Vec<&'a str> {
    stage.lines().filter_map(|line| line.strip_prefix(name)).map(str::trim).collect()
}

fn stages(text: &str) -> (&str, &str) {
    let (first, last) = text.split_once("\nFROM scratch\n").expect("the last stage is empty");
    (first, last)
}

#[test]
fn the_image_holds_the_binary_of_the_shared_build_script_and_nothing_else() {
    let text = dockerfile();
    let (first, last) = stages(&text);
    assert_eq!(instruction(first, "RUN "), ["deploy/docker/build.sh release"]);
    let built = "/picket/target/x86_64-unknown-linux-gnu/release/picket /picket";
    assert_eq!(instruction(last, "COPY "), [format!("--from=build {built}")]);
    assert_eq!(instruction(last, "RUN "), Vec::<&str>::new());
}

#[test]
fn it_is_built_with_the_compiler_that_the_workspace_asks_for() {
    let manifest = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let field = |name: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.unwrap().trim_matches('"').to_owned()
    };
    let text = dockerfile();
    assert!(text.contains(&format!("FROM rust:{}-", field("rust-version"))), "{text}");
    assert!(text.contains(&format!("image.version=\"{}\"", field("version"))), "{text}");
    for overlay in [("base", "DaemonSet"), ("example/sidecar", "Deployment")] {
        let image = only(overlay.0, overlay.1).to_string();
        assert!(image.contains(&format!("picket:{}\"", field("version"))), "{image}");
    }
}

#[test]
fn its_user_is_the_one_that_pods_run_it_as_and_both_say_the_same_command() {
    let text = dockerfile();
    let (_, last) = stages(&text);
    assert_eq!(instruction(last, "USER "), ["0:0"]);
    let command: Value = serde_json::from_str(instruction(last, "CMD ")[0]).unwrap();
    let set = only("base", "DaemonSet");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["securityContext"]["runAsUser"], 0);
    assert_eq!(container["command"], Value::Null, "the image's entry point");
    let mut arguments = container["args"].clone();
    arguments[2] = json!("/etc/picket/picket.yaml");
    assert_eq!(arguments, command);
}

#[test]
fn what_a_build_is_sent_is_all_there() {
    let text = fs::read_to_string(top().join("deploy/docker/Dockerfile.dockerignore")).unwrap();
    for name in text.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(top().join(name).exists(), "{name}");
    }
}
