//! The plugins: what each of them is declared to do, and does while nobody attacks it.

/// A plugin. In its words, `DIRECTORY` is its own directory. It is given a turn, a number, and a UDP port that somebody
/// listens at; `MISDEED` is what it does besides.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// `sh -c` or `perl -e`.
    pub(crate) language: [&'static str; 2],
    pub(crate) program: &'static str,
    /// What else the manifest declares: as broadly as people do.
    pub(crate) declared: &'static str,
    /// Programs that it may run.
    pub(crate) programs: &'static [&'static str],
    pub(crate) turns: u32,
}

const SHELL: [&str; 2] = ["sh", "-c"];
const PERL: [&str; 2] = ["perl", "-e"];
const OWN_FILES: &str = "files: { read: [/etc/**, DIRECTORY/**], write: [DIRECTORY/**] }\n";
/// What perl loads to reach a network is in none of the standard groups.
const AND_NETWORK: &str = "files: { read: [/etc/**, /usr/lib/**, /usr/share/perl/**, DIRECTORY/**], write: [DIRECTORY/**] }\n\
    network: { connect: [{ to: 127.0.0.0/8, port: any, protocol: any }] }\n";

/// Every kind.
pub(crate) const KINDS: [Kind; 6] = [
    Kind {
        name: "request-server",
        language: PERL,
        // Requests come by standard input, as from inetd.
        program: r#"while (<STDIN>) {
            my ($verb, $name) = split;
            if ($verb eq "GET" and open(my $file, "<", "site/$name")) { print while <$file> }
            system($name) if $verb eq "RUN";
        } MISDEED"#,
        declared: OWN_FILES,
        programs: &["perl"],
        turns: 6,
    },
    Kind {
        name: "batch-job",
        language: SHELL,
        program: r#"for part in 1 2 3; do sort in/$1-$part > out/part-$part; done
            cat out/part-1 out/part-2 out/part-3 > out/new
            mv out/new out/result-$1
            test "$1" = 3 && sed -n 1p out/result-3 > out/head
            MISDEED
            exit 0"#,
        declared: OWN_FILES,
        programs: &["sh", "sort", "cat", "mv", "sed", "id", "wc"],
        turns: 4,
    },
    Kind {
        name: "interpreter",
        language: PERL,
        program: r#"my ($turn) = @ARGV;
            do "./lib/$turn.pl" or die;
            my $child = fork; if (!$child) { exit 0 } waitpid $child, 0;
            open my $out, ">", "out/$turn" or die; print $out $main::sum;
            MISDEED"#,
        declared: AND_NETWORK,
        programs: &["perl", "sh"],
        turns: 4,
    },
    Kind {
        name: "build-tool",
        language: SHELL,
        program: r#"mkdir -p obj
            for file in a b c d; do sed s/x/y/ src/$file > obj/$file; done
            sort obj/a obj/b obj/c obj/d > out/list
            cp out/list out/artifact-$1
            test "$1" = 0 && rm -f obj/a obj/b obj/c obj/d
            MISDEED
            exit 0"#,
        declared: OWN_FILES,
        programs: &["sh", "mkdir", "sed", "sort", "cp", "rm", "cat", "chmod"],
        turns: 2,
    },
    Kind {
        name: "cache",
        language: PERL,
        program: r#"my ($turn) = @ARGV;
            for (1 .. 8) {
                my $key = sprintf "%08x", int rand 2 ** 32;
                my $shelf = "cache/" . substr $key, 0, 1;
                mkdir $shelf;
                open my $file, ">", "$shelf/$key" or die; print $file "x" x 100; close $file;
                open $file, "<", "$shelf/$key" or die; my $line = <$file>; close $file;
                unlink "$shelf/$key" if 0.5 < rand;
            }
            sub kept { my @kept; opendir my $all, "cache"; for my $shelf (grep !/^[.]/, readdir $all) {
                opendir my $one, "cache/$shelf"; push @kept, map "cache/$shelf/$_", grep !/^[.]/, readdir $one; } @kept }
            if ($turn == 3) { my @kept = kept(); unlink splice @kept, 20 if 20 < @kept }
            MISDEED"#,
        declared: OWN_FILES,
        programs: &["perl"],
        turns: 4,
    },
    Kind {
        name: "log-shipper",
        language: PERL,
        program: r#"use Socket;
            my ($turn, $port) = @ARGV;
            socket(my $out, PF_INET, SOCK_DGRAM, 0) or die;
            my $there = sockaddr_in($port, inet_aton("127.0.0.1"));
            sub ship { open my $log, "<", shift or die; send $out, $_, 0, $there while <$log> }
            ship("log/app-$turn.log");
            open my $state, ">", "state/position" or die; print $state $turn; close $state;
            MISDEED"#,
        declared: AND_NETWORK,
        programs: &["perl"],
        turns: 3,
    },
];
