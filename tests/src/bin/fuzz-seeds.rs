//! What fuzzing begins with: files as Picket writes them, and the examples of its documentation.
//!
//! `fuzz-seeds REPOSITORY DIRECTORY` writes a directory for each target. Made anew each time, so that no format leaves old
//! seeds behind.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use picket::baseline::{self, Deployment, Entry, Package};
use picket::clock;
use picket::manifest::{self, Manifest, Names, Occasion, ResolveContext};
use picket::trace::{Clock, Header, Replay, Writer};
use picket_engine::{
    AccessSet, Arguments, Arrival, Departure, Fact, FileId, FileOperation, IncidentId, Input,
    KernelTime, MemoryUse, NetworkOperation, Notice, ObservedArgv, ObservedPath, Order, Outcome,
    Process, Reach, Resource, SandboxId, Step, SyscallAbi, Tampering, Unresolved, Whose,
};

const MANIFEST: &str = "
version: 1
plugin: { name: weather, version: 1.0.0 }
exec: [{ path: /usr/bin/cat, argv: [cat, '*'] }, { path: /opt/run.sh, interpreter: /usr/bin/dash }]
files: { read: [/srv/data/**, /etc/hosts], write: [{ path: /srv/out, expires: 2099-01-01T00:00:00Z }] }
network: { connect: [{ to: 10.0.0.0/8, port: 443 }], listen: [{ address: '::1', port: 80-90, protocol: udp }],
           sockets: [netlink], unix: ['@bus*'] }
syscalls: { allow: ['@basic-io', mkdir] }
processes: { max: 2 }
actions: { escape: kill }
containment: { hold: 1s, on_expiry: kill }
";
/// Documents with examples, and what they are examples of.
const DOCUMENTS: [(&str, &str); 5] = [
    ("manifest", "manifest"),
    ("configuration", "config"),
    ("alerting", "config"),
    ("baselines", "config"),
    ("otlp", "config"),
];
const SANDBOX: SandboxId = SandboxId { slot: 0, generation: 1 };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [repository, directory] = arguments.as_slice() else {
        return Err("usage: fuzz-seeds REPOSITORY DIRECTORY".into());
    };
    let (repository, directory) = (Path::new(repository), Path::new(directory));
    for target in ["baseline", "trace", "manifest", "config", "engine"] {
        fs::create_dir_all(directory.join(target))?;
    }
    let inputs = inputs()?;
    let trace = directory.join("trace/run");
    write_trace(&trace, &inputs)?;
    let text = fs::read_to_string(&trace)?;
    let (_, lines) = text.split_once('\n').ok_or("a trace has a header")?;
    fs::write(directory.join("engine/run"), lines)?;
    // Of a run that was seen to its end, or it teaches nothing.
    let plain = |input: &&Input| {
        let spoilt = matches!(input, Input::Loss { .. } | Input::Tampered { .. });
        !spoilt && !matches!(input, Input::Receipt { .. })
    };
    let learned = directory.join("trace/learned");
    write_trace(&learned, &inputs.iter().filter(plain).cloned().collect::<Vec<_>>())?;
    fs::write(directory.join("baseline/run"), export(&learned)?)?;

    let identity = manifest::Identity { name: Some("weather"), version: "1.0.0" };
    let suggested = manifest::suggest(&[&inputs], identity);
    fs::write(directory.join("manifest/suggested"), suggested.text())?;
    fs::write(directory.join("manifest/whole"), MANIFEST)?;
    for (document, target) in DOCUMENTS {
        let text = fs::read_to_string(repository.join("docs").join(document).with_extension("md"))?;
        for (number, example) in examples(&text).enumerate() {
            fs::write(directory.join(target).join(format!("{document}-{number}")), example)?;
        }
    }
    Ok(())
}

/// The YAML in a document.
fn examples(text: &str) -> impl Iterator<Item = &str> {
    text.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0))
}

/// A run that is recorded, decided and contained.
fn write_trace(path: &Path, inputs: &[Input]) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new(KernelTime::BOOT, SystemTime::UNIX_EPOCH);
    let header = Header::here("trace", vec!["weather".to_owned()], clock);
    let mut writer = Writer::create(path, &header)?;
    let mut replay = Replay::default();
    for input in inputs {
        writer.input(input)?;
        replay.tell(input.clone()).iter().for_each(|effect| writer.effect(effect));
    }
    writer.finish(0)?;
    Ok(())
}

/// What the run teaches, as it is exported.
fn export(trace: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let lesson = baseline::lesson(trace)?;
    let digest = Manifest::parse("weather.yaml", MANIFEST.as_bytes())?.digest();
    let identity = baseline::Identity {
        plugin: lesson.plugin,
        artifact: digest,
        manifest: digest,
        deployment: Deployment::parse("edge")?,
    };
    let mut entry = Entry::new(identity);
    lesson.runs.iter().for_each(|(id, run)| entry.baseline.learn(*id, run));
    let mut package = Package::new();
    package.add(entry);
    let mut text = Vec::new();
    baseline::write(&package, &mut text)?;
    Ok(text)
}

/// One of everything that the engine can be told.
fn inputs() -> Result<Vec<Input>, Box<dyn Error>> {
    let manifest = Manifest::parse("weather.yaml", MANIFEST.as_bytes())?;
    let names = Names::default();
    let policy = manifest
        .resolve(&ResolveContext {
            entry: None,
            names: &names,
            wall: SystemTime::now(),
            boot: clock::now(),
            occasion: Occasion::Refresh,
            elsewhere: false,
        })?
        .policy;
    let at = |millis| KernelTime::BOOT.saturating_add(Duration::from_millis(millis));
    let sandbox = SANDBOX;
    let mut inputs = vec![
        Input::Register { sandbox, policy: policy.clone(), arrival: Arrival::Gated, at: at(0) },
        Input::Supervisor { sandbox, notice: Notice::Started, at: at(1) },
    ];
    for (sequence, fact) in (0..).zip(facts()) {
        let order = Order { time: at(u64::from(sequence) + 2), cpu: sequence % 2, sequence };
        let process = Process { tgid: 7, tid: 7 + sequence % 2, start: at(0) };
        inputs.push(Input::Event { sandbox, order, process, fact });
    }
    let incident = IncidentId(1);
    let answered = |step, millis| {
        let outcome = Outcome::Done;
        Input::Receipt { sandbox, incident, step, outcome, at: at(millis) }
    };
    let usage = Resource::ALL.iter().map(|resource| (*resource, 7)).collect();
    inputs.extend([
        answered(Step::Freeze, 60),
        Input::Policy { sandbox, policy, at: at(61) },
        Input::Loss { sandbox, lost: 3, at: at(62) },
        Input::Resources { sandbox, usage, at: at(63) },
        Input::Tampered { sandbox: None, tampering: Tampering::MapChanged, at: at(64) },
        Input::Tick { at: at(2_000) },
        answered(Step::Kill, 2_001),
        Input::Unregister { sandbox, at: at(2_002) },
    ]);
    Ok(inputs)
}

fn facts() -> Vec<Fact> {
    let path = |text: &str| ObservedPath::Resolved(text.as_bytes().to_vec());
    let (file, links) = (FileId { device: 8 << 20 | 1, inode: 9 }, 1);
    let (number, abi) = (83, SyscallAbi::Native);
    let argv = ObservedArgv { bytes: b"cat\0/srv/data/input\0".to_vec(), complete: true };
    let script = Some(b"/opt/run.sh".to_vec());
    vec![
        Fact::Exec { path: path("/usr/bin/cat"), file, links, script: None, argv: argv.clone() },
        Fact::Open { path: path("/srv/data/input"), file, links, access: AccessSet::READ },
        Fact::Syscall { number, abi, arguments: Arguments::NONE },
        Fact::Syscall { number: 101, abi: SyscallAbi::Ia32, arguments: Arguments::NONE },
        Fact::Fork { child_tgid: 8, child_tid: 8 },
        Fact::Exec { path: path("/usr/bin/dash"), file, links, script, argv },
        Fact::Network {
            operation: NetworkOperation::Connect,
            protocol: 6,
            address: [10, 0, 0, 7].into(),
            port: 443,
            refused: false,
        },
        Fact::Socket { family: 16, socket_type: 3, protocol: 0, refused: false },
        Fact::Memory { how: MemoryUse::Mapped },
        Fact::Mapped { path: path("/srv/data/lib"), file, links },
        Fact::Namespaces { flags: 1 << 29 },
        Fact::FileOperation {
            operation: FileOperation::Rename,
            path: path("/srv/out"),
            file,
            links,
            access: AccessSet::WRITE,
        },
        Fact::Open {
            path: ObservedPath::Unresolved(Unresolved::TooDeep),
            file,
            links,
            access: AccessSet::WRITE,
        },
        Fact::Reach { how: Reach::Signal, whose: Whose::Outside, process: 1, number: 9 },
        Fact::Peer {
            operation: NetworkOperation::Send,
            whose: Whose::Sandbox,
            name: b"bus-\xff".to_vec(),
        },
        Fact::Denied { number, abi, arguments: [1; 6], by_arguments: true },
        Fact::Refused { number, path: path("/etc/shadow"), access: AccessSet::READ },
        Fact::Left { how: Departure::ClonedOut, cgroup: 7 },
        Fact::Entered {},
        Fact::Exit { code: 256 },
    ]
}
