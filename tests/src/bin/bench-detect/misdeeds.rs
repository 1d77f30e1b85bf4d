//! What the plugins do that they should not: each harmless, each as an attack has it.

/// A misdeed.
#[derive(Debug)]
pub(crate) struct Misdeed {
    plugin: &'static str,
    pub(crate) name: &'static str,
    pub(crate) how: How,
}

/// How it comes about.
#[derive(Debug)]
pub(crate) enum How {
    /// The plugin's code does it, at its end.
    Code(&'static str),
    /// Somebody asks for it.
    Request(&'static str),
}

/// Those of a plugin.
pub(crate) fn of(plugin: &str) -> impl Iterator<Item = &'static Misdeed> {
    MISDEEDS.iter().filter(move |misdeed| misdeed.plugin == plugin)
}

const fn code(plugin: &'static str, name: &'static str, code: &'static str) -> Misdeed {
    Misdeed { plugin, name, how: How::Code(code) }
}

const fn asks(plugin: &'static str, name: &'static str, request: &'static str) -> Misdeed {
    Misdeed { plugin, name, how: How::Request(request) }
}

const SERVER: &str = "request-server";
const BATCH: &str = "batch-job";
const SCRIPT: &str = "interpreter";
const BUILD: &str = "build-tool";
const CACHE: &str = "cache";
const SHIPPER: &str = "log-shipper";

/// Names that begin with "mimicry" use nothing that the plugin does not use anyway.
const MISDEEDS: &[Misdeed] = &[
    asks(SERVER, "is asked for a file outside of its pages", "GET ../secrets/key\n"),
    asks(SERVER, "reads the users of the machine", "GET ../../../etc/passwd\n"),
    asks(SERVER, "runs a command from a request", "RUN id\n"),
    asks(
        SERVER,
        "mimicry: hands out every page",
        "GET page-0\nGET page-1\nGET page-2\nGET page-3\nGET page-4\nGET page-5\nGET page-6\nGET page-7\n",
    ),
    code(BATCH, "runs a declared program that it never ran", "id > out/part-1"),
    code(BATCH, "reads what belongs to another job", "cat other/in > out/part-1"),
    code(
        BATCH,
        "mimicry: puts other data into its result",
        "cat in/1-1 > out/new; mv out/new out/result-$1",
    ),
    code(BATCH, "ends in the middle", "kill -9 $$"),
    code(
        SCRIPT,
        "connects to a port of the machine",
        "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in($ARGV[1], inet_aton('127.0.0.1')));",
    ),
    code(SCRIPT, "lets itself be traced", "syscall(101, 0, 0, 0, 0);"),
    code(SCRIPT, "maps memory to write and to run", "syscall(9, 0, 4096, 7, 0x22, -1, 0);"),
    code(SCRIPT, "makes a namespace of its own", "syscall(272, 0x10000000);"),
    code(SCRIPT, "runs a shell", "system('sh', '-c', ':');"),
    code(SCRIPT, "computes for a second", "my $end = time + 1; 1 while time <= $end;"),
    code(BUILD, "reads a secret beside its sources", "cat secrets/key > out/list"),
    code(BUILD, "changes one of its sources", "sed s/y/z/ src/b >> src/a"),
    code(BUILD, "runs what it has built", "cp /bin/true out/list; chmod 755 out/list; out/list"),
    code(
        BUILD,
        "mimicry: works for much longer",
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sed s/x/z/ src/a > obj/a; done",
    ),
    code(CACHE, "renames everything that it keeps", "rename $_, \"$_.enc\" for kept();"),
    code(CACHE, "lets everybody write what it keeps", "chmod 0666, kept();"),
    code(CACHE, "reads a secret", "open my $key, '<', 'secrets/key'; my $line = <$key>;"),
    code(CACHE, "mimicry: removes everything that it keeps", "unlink kept();"),
    code(
        SHIPPER,
        "sends to somebody else",
        "send $out, 'x', 0, sockaddr_in($port, inet_aton('127.9.9.9'));",
    ),
    code(SHIPPER, "ships a file that is no log", "ship('secrets/key');"),
    code(
        SHIPPER,
        "listens",
        "socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(0, inet_aton('127.0.0.1'))); listen(S, 1);",
    ),
    code(
        SHIPPER,
        "mimicry: sends everything fifty times",
        "ship(\"log/app-$turn.log\") for 1 .. 50;",
    ),
];
