//! What the gate sees of a frozen child that is not as it should be.

use std::fs;
use std::process::{Command, Stdio};

use picket::supervisor::gate::Fact;
use picket::supervisor::{
    CapabilitySet, DescriptorError, GateRefusal, LaunchSpec, PassedDescriptor, inspect, launch,
};

use super::host::{pipe_from, sandbox, shell, stand_in};

fn refused_fact(launched_with: &LaunchSpec, inspected_with: &LaunchSpec) -> Fact {
    let child = launch(sandbox(), launched_with).unwrap();
    let path = child.sandbox().path().to_owned();
    let refusal = inspect(child, inspected_with).unwrap_err();
    assert!(!path.exists(), "a refused child is killed and its sandbox removed");
    match refusal {
        GateRefusal::Differs { fact, .. } => fact,
        other @ GateRefusal::Unreadable { .. } => panic!("{other}"),
    }
}

#[test]
fn a_child_with_a_descriptor_that_is_not_declared_is_refused() {
    let mut with_more = shell("exit 0");
    let _reader = pipe_from(&mut with_more, 7);
    assert_eq!(refused_fact(&with_more, &shell("exit 0")), Fact::Descriptor(7));
}

#[test]
fn a_child_without_a_declared_descriptor_or_with_another_file_is_refused() {
    let mut declared = shell("exit 0");
    let _reader = pipe_from(&mut declared, 7);
    assert_eq!(refused_fact(&shell("exit 0"), &declared), Fact::Descriptor(7));
    let mut another = shell("exit 0");
    let _other_reader = pipe_from(&mut another, 7);
    assert_eq!(refused_fact(&another, &declared), Fact::Descriptor(7));
}

#[test]
fn a_child_with_a_capability_that_is_not_declared_is_refused() {
    let mut capable = shell("exit 0");
    capable.capabilities = CapabilitySet::EMPTY.with("CAP_NET_RAW").unwrap();
    let fact = refused_fact(&capable, &shell("exit 0"));
    assert!(matches!(fact, Fact::Capabilities(_)), "{fact:?}");
}

#[test]
fn a_second_process_in_the_sandbox_is_refused_and_killed_along() {
    let spec = shell("exit 0");
    let child = launch(sandbox(), &spec).unwrap();
    let mut second = Command::new(stand_in()).arg("wait").stdin(Stdio::piped()).spawn().unwrap();
    let members = child.sandbox().path().join("cgroup.procs");
    fs::write(members, second.id().to_string()).unwrap();
    let refusal = inspect(child, &spec).unwrap_err();
    assert!(matches!(refusal, GateRefusal::Differs { fact: Fact::Members, .. }), "{refusal}");
    assert!(!second.wait().unwrap().success(), "killed with the sandbox");
}

#[test]
fn a_sandbox_that_somebody_thawed_is_refused() {
    let spec = shell("while :; do :; done");
    let child = launch(sandbox(), &spec).unwrap();
    child.sandbox().thaw().unwrap();
    inspect(child, &spec).unwrap_err();
}

#[test]
fn one_of_pickets_own_files_cannot_be_passed_on_by_its_number() {
    use std::os::fd::AsRawFd;
    let own = fs::File::open("/dev/null").unwrap();
    let error = PassedDescriptor::inherited(own.as_raw_fd()).unwrap_err();
    assert!(matches!(error, DescriptorError::Own { .. }), "{error}");
    let error = PassedDescriptor::inherited(200).unwrap_err();
    assert!(matches!(error, DescriptorError::NotOpen { number: 200, .. }), "{error}");
}
