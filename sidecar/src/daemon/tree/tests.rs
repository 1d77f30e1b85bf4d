//! What is found in a tree of directories, and what is told when it changes.

use super::*;

struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn tree(&self, patterns: &[&str]) -> Tree {
        let scope = Scope {
            mount: self.0.path().to_owned(),
            patterns: patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect(),
            home: "/picket".into(),
            own: "/system/picket.service".into(),
            containers: None,
        };
        Tree::new(scope).unwrap()
    }

    /// Looks for containers, itself in one of a pod's.
    fn containers(&self, own: &str, containers: Containers) -> Tree {
        let mut tree = self.tree(&[]);
        tree.scope.own = own.into();
        tree.scope.containers = Some(containers);
        tree
    }

    fn id(&self, path: &str) -> u64 {
        fs::metadata(self.0.path().join(&path[1..])).unwrap().ino()
    }

    fn make(&self, path: &str) {
        fs::create_dir_all(self.0.path().join(&path[1..])).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_dir(self.0.path().join(&path[1..])).unwrap();
    }
}

fn appeared(path: &str) -> Change {
    Change::Appeared(path.into())
}

fn gone(path: &str) -> Change {
    Change::Gone(path.into())
}

fn told(tree: &mut Tree) -> Vec<Change> {
    let events = tree.inotify().read().unwrap();
    tree.follow(events).unwrap()
}

#[test]
fn the_outermost_match_wins() {
    let stage = Stage::new();
    stage.make("/a/b/c");
    stage.make("/d");
    assert_eq!(stage.tree(&["/a/**", "/d"]).walk(), [appeared("/a"), appeared("/d")]);
    assert_eq!(stage.tree(&["/a/*"]).walk(), [appeared("/a/b")]);
}

#[test]
fn what_is_made_and_removed_later_is_told() {
    let stage = Stage::new();
    stage.make("/pods");
    let mut tree = stage.tree(&["/pods/*/plugin"]);
    assert_eq!(tree.walk(), []);
    stage.make("/pods/one/plugin");
    assert_eq!(told(&mut tree), [appeared("/pods/one/plugin")]);
    // Listed already when it is told again.
    assert_eq!(told(&mut tree), []);
    stage.remove("/pods/one/plugin");
    assert_eq!(told(&mut tree), [gone("/pods/one/plugin")]);
    stage.make("/pods/one/plugin");
    assert_eq!(told(&mut tree), [appeared("/pods/one/plugin")]);
}

#[test]
fn pickets_own_cgroups_are_never_found() {
    let stage = Stage::new();
    for path in ["/picket/x", "/system/picket.service", "/system/other.service"] {
        stage.make(path);
    }
    assert_eq!(stage.tree(&["/*/*"]).walk(), [appeared("/system/other.service")]);
    assert_eq!(stage.tree(&["/system"]).walk(), []);
}

fn cgroup(pod: char, container: char) -> String {
    let digit = |digit: char, count| digit.to_string().repeat(count);
    format!("/node/kubepods/burstable/pod{}/{}", digit(pod, 32), digit(container, 64))
}

#[test]
fn every_container_of_the_node_is_found_but_pickets_own_and_what_is_in_one() {
    let stage = Stage::new();
    let (own, one, nested) = (cgroup('1', '1'), cgroup('1', '2'), cgroup('3', '4'));
    for path in [own.clone(), one.clone(), format!("{one}{nested}")] {
        stage.make(&path);
    }
    let mut tree = stage.containers(&own, Containers::All);
    assert_eq!(tree.walk(), [appeared(&one)]);
    let late = cgroup('5', '6');
    stage.make(&late);
    assert_eq!(told(&mut tree), [appeared(&late)]);
}

#[test]
fn a_sidecar_finds_the_containers_of_its_own_pod_and_no_others() {
    let stage = Stage::new();
    let (own, sibling, foreign) = (cgroup('1', '1'), cgroup('1', '2'), cgroup('2', '3'));
    for path in [&own, &sibling, &foreign] {
        stage.make(path);
    }
    let pod = Path::new(&own).parent().unwrap().to_owned();
    let id = stage.id(pod.to_str().unwrap());
    let mut tree = stage.containers(&own, Containers::Of { pod: pod.clone(), id });
    assert_eq!(tree.walk(), [appeared(&sibling)]);
    for late in [cgroup('1', '4'), cgroup('2', '5')] {
        stage.make(&late);
    }
    assert_eq!(told(&mut tree), [appeared(&cgroup('1', '4'))]);
    // Another cgroup of the same name is another pod's.
    let mut other = stage.containers(&own, Containers::Of { pod, id: id + 1 });
    assert_eq!(other.walk(), []);
}

#[test]
fn ten_thousand_containers_that_come_and_go_are_each_told_and_leave_nothing_behind() {
    let stage = Stage::new();
    stage.make("/kubepods");
    let mut tree = stage.containers("/", Containers::All);
    assert_eq!(tree.walk(), []);
    for batch in 0..20_u32 {
        let places = (batch * 500..(batch + 1) * 500).map(|number| {
            let pod = format!("/kubepods/pod{number:032x}");
            (format!("{pod}/{number:064x}"), pod)
        });
        let places: Vec<_> = places.collect();
        places.iter().for_each(|(container, _)| stage.make(container));
        let expected: Vec<_> = places.iter().map(|(path, _)| appeared(path)).collect();
        assert_eq!(told(&mut tree), expected);
        for (container, pod) in &places {
            stage.remove(container);
            stage.remove(pod);
        }
        let expected: Vec<_> = places.iter().map(|(path, _)| gone(path)).collect();
        assert_eq!(told(&mut tree), expected);
    }
    assert_eq!((tree.known.len(), tree.watched.len()), (0, 2));
}

#[test]
fn other_patterns_lose_and_find() {
    let stage = Stage::new();
    stage.make("/a/b");
    let mut tree = stage.tree(&["/a/b"]);
    assert_eq!(tree.walk(), [appeared("/a/b")]);
    tree.look_for([Pattern::parse("/a").unwrap()].into());
    assert_eq!(tree.walk(), [gone("/a/b"), appeared("/a")]);
    assert_eq!(tree.walk(), []);
}

#[test]
fn only_directories_in_which_something_can_match_are_watched() {
    for (pattern, path, expected) in [
        ("/a/b", "/", true),
        ("/a/b", "/a", true),
        ("/a/b", "/a/b", false),
        ("/a/b", "/x", false),
        ("/a/*/c", "/a/x", true),
        ("/a/*/c", "/a/x/y", false),
        ("/a/**", "/a/x/y/z", true),
        ("/**/c", "/x/y", true),
        (r"/a\*b/c", "/a*b", true),
    ] {
        assert_eq!(may_contain(pattern, Path::new(path)), expected, "{pattern} {path}");
    }
}
