//! How fast a trace is decided again: events a second of `picket replay`, from its start to its end.
//!
//! The trace is made up: opens, system calls, connections and execs as a busy plugin has them, nearly all declared.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::{Instant, SystemTime};

use picket::clock;
use picket::manifest::{Manifest, Names, Occasion, ResolveContext};
use picket::trace::{Clock, Header, Replay, Writer};
use picket_engine::{
    AccessSet, Arguments, Arrival, Fact, FileId, Input, KernelTime, NetworkOperation, ObservedArgv,
    ObservedPath, Order, Process, SandboxId, SyscallAbi,
};
use picket_tests::picket_program;

const MANIFEST: &str = "
version: 1
plugin: { name: bench, version: 1.0.0 }
exec: [{ path: /usr/bin/cat }]
files: { read: [/srv/data/**, /etc/hosts] }
network: { connect: [{ to: 10.0.0.0/8, port: 443 }] }
syscalls: { allow: ['@basic-io', '@file-system', '@process', '@signal', '@timer'] }
";
const EVENTS: u32 = 400_000;
const RUNS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("trace");
    let (boot, wall) = (clock::now(), SystemTime::now());
    let header = Header::here("trace", vec!["bench".to_owned()], Clock::new(boot, wall));
    let begun = Instant::now();
    let mut writer = Writer::create(&path, &header)?;
    let mut replay = Replay::default();
    let mut tell = |input: Input| -> std::io::Result<()> {
        writer.input(&input)?;
        replay.tell(input).iter().for_each(|effect| writer.effect(effect));
        Ok(())
    };
    let manifest = Manifest::parse("bench.yaml", MANIFEST.as_bytes())?;
    let names = Names::default();
    let occasion = Occasion::Start;
    let context =
        ResolveContext { entry: None, names: &names, wall, boot, occasion, elsewhere: false };
    let policy = manifest.resolve(&context)?.policy;
    let sandbox = SandboxId { slot: 0, generation: 1 };
    tell(Input::Register { sandbox, policy, arrival: Arrival::Gated, at: boot })?;
    for sequence in 0..EVENTS {
        let time = KernelTime::from_nanos(boot.as_nanos() + 10_000 * u64::from(sequence));
        let order = Order { time, cpu: sequence % 2, sequence };
        let process = Process { tgid: 4_000, tid: 4_000 + sequence % 8, start: boot };
        tell(Input::Event { sandbox, order, process, fact: fact(sequence) })?;
    }
    writer.finish(0)?;
    let wrote = begun.elapsed();
    println!("{EVENTS} events, {} KiB", fs::metadata(&path)?.len() / 1024);
    println!("written      {:>9.0} events/s", f64::from(EVENTS) / wrote.as_secs_f64());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let output = Command::new(picket_program()).arg("replay").arg(&path).output()?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        let last = said.lines().last().unwrap_or_default();
        println!("{last}\nreplayed     {:>9.0} events/s", f64::from(EVENTS) / took.as_secs_f64());
    }
    Ok(())
}

fn fact(sequence: u32) -> Fact {
    let file = FileId { device: 8 << 20 | 1, inode: u64::from(sequence) };
    let path = |text: String| ObservedPath::Resolved(text.into_bytes());
    match sequence % 8 {
        // The entry point's.
        0 => Fact::Exec {
            path: path("/usr/bin/cat".to_owned()),
            file,
            links: 1,
            script: None,
            argv: ObservedArgv { bytes: b"cat\0-n\0/srv/data/input\0".to_vec(), complete: true },
        },
        1 | 2 => Fact::Syscall {
            number: sequence % 3,
            abi: SyscallAbi::Native,
            arguments: Arguments::NONE,
        },
        3 => Fact::Network {
            operation: NetworkOperation::Connect,
            protocol: 6,
            address: [10, 0, 0, 7].into(),
            port: 443,
            refused: false,
        },
        _ => Fact::Open {
            path: path(match sequence % 20_000 {
                4 => format!("/home/somebody/{sequence}"),
                _ => format!("/srv/data/2026/11/{}/part-{sequence}.json", sequence % 100),
            }),
            file,
            links: 1,
            access: AccessSet::READ,
        },
    }
}
