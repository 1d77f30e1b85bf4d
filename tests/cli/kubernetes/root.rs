//! A container has a root of its own: what its manifest says is about that.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use picket_tests::wait_until;
use serde_json::Value;

use super::super::plugin::{LINGER, Plugin};
use super::node::{Container, Node};

/// Waits in the container until it is told to go on.
const TOLD: &str = "while [ ! -e /go ]; do sleep 0.02; done";

struct Image {
    node: Node,
    root: PathBuf,
    container: Container,
}

impl Image {
    /// A node with one container that is bound to this manifest, and a root for it: the host's programs and a few files.
    fn new(plugin: Plugin) -> Self {
        let node = Node::of(plugin, "node");
        node.bind("shop_web_app");
        let root = node.stage.plugin.path("root");
        for directory in ["usr", "etc", "data", "out", "old", "proc"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for (link, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            symlink(target, root.join(link)).unwrap();
        }
        for name in ["etc/allowed", "etc/shadow", "secret"] {
            fs::write(root.join(name), name).unwrap();
        }
        // It leads elsewhere on the host, where there is nothing.
        symlink("/etc/allowed", root.join("data/link")).unwrap();
        fs::hard_link(root.join("etc/shadow"), root.join("data/hard")).unwrap();
        let pod = node.pod("shop", "web-0");
        let container = node.container(&pod, "app");
        Self { node, root, container }
    }

    fn start(&mut self, script: &str) {
        self.node.stage.enter_root(&self.container.path, &self.root, script);
        self.node.name(&self.container);
    }
}

#[test]
fn the_paths_of_a_manifest_are_those_of_the_containers_own_root() {
    let plugin = Plugin::new().may_run("path: /usr/bin/touch");
    // A file in the container, and on the host a link to what is not declared.
    let name = plugin.path("name");
    symlink("/nowhere", &name).unwrap();
    let mut image = Image::new(
        plugin.declares("files: { read: [/data/link, DIRECTORY/name], write: [/out/**] }").held(),
    );
    let inside = image.root.join(name.strip_prefix("/").unwrap());
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::write(&inside, "in the container").unwrap();
    let daemon = image.node.stage.watching();
    let script = format!(
        "cat /data/link {} && touch /out/done; {TOLD}; cat /secret; {LINGER}",
        name.display()
    );
    image.start(&script);
    let sandbox = daemon.await_watched_as("shop/web-0/app");
    wait_until("its declared acts", || image.root.join("out/done").exists());
    wait_until("its judgement", || !image.node.is_held(&image.container));
    fs::write(image.root.join("go"), "").unwrap();
    daemon.await_about("receipt", &sandbox);
    let findings = daemon.of("finding");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(findings[0]["deed"].as_str().unwrap().contains("/secret"), "{findings:#?}");
    assert!(image.node.is_frozen(&image.container));
    let status: Value = serde_json::from_str(&image.node.status(&["--output", "json"])).unwrap();
    assert_eq!(status["sandboxes"][0]["other_root"], false);
    assert_eq!(daemon.of("other_root"), Vec::<Value>::new());
}

#[test]
fn a_containers_own_shadow_is_protected_by_its_identity() {
    let plugin = Plugin::new().declares("files: { read: [/data/**] }").held();
    let mut image = Image::new(plugin);
    let daemon = image.node.stage.watching();
    image.start(&format!("cat /data/hard; {LINGER}"));
    let sandbox = daemon.await_watched_as("shop/web-0/app");
    let finding = daemon.await_about("finding", &sandbox);
    assert_eq!(finding["reason"], "protected_inode", "{finding}");
    wait_until("a freeze", || image.node.is_frozen(&image.container));
}

#[test]
fn a_link_that_a_container_makes_later_opens_nothing() {
    let plugin = Plugin::new()
        .may_run("path: /usr/bin/ln")
        .declares("files: { read: [/data/later], write: [/data/**] }")
        .held();
    let mut image = Image::new(plugin);
    let daemon = image.node.stage.watching();
    image.start(&format!("{TOLD}; ln -s /secret /data/later; cat /data/later; {LINGER}"));
    let sandbox = daemon.await_watched_as("shop/web-0/app");
    // The same manifest as another file, so that everything is judged by it anew.
    let more = format!("{}# once more\n", image.node.stage.plugin.manifest());
    let next = image.node.stage.plugin.write("next", more);
    fs::rename(next, image.node.manifest("shop_web_app")).unwrap();
    daemon.await_count("reloaded", 1);
    fs::write(image.root.join("go"), "").unwrap();
    let finding = daemon.await_about("finding", &sandbox);
    assert!(finding["deed"].as_str().unwrap().contains("/secret"), "{finding}");
}
