//! Words of the watched code, planted everywhere it can put them, are in nothing that leaves the node.
//!
//! Directory, file, argument, environment, process name, host name and address are random tokens. The plugin does what
//! it did not declare, so that every output has something to say. All bytes of all outputs are kept and searched, as
//! text and in the usual disguises. The plugin's *version* is a token as well, but a word of the operator, which is
//! registered to leave: it is found in every output, or finding nothing would prove nothing.

use std::fs;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use picket_tests::{unique, wait_until};
use sha2::{Digest as _, Sha256};

use super::daemon::stage::Stage;
use super::plugin::{LINGER, Plugin};
use super::sink::Sink;

/// What the watched code calls something.
#[derive(Clone)]
struct Token {
    what: &'static str,
    text: String,
}

impl Token {
    fn new(what: &'static str) -> Self {
        // Long enough not to be met by chance, and of letters that names of all kinds may have.
        let digest = Sha256::digest(unique(what));
        let letters = digest.iter().take(16).map(|byte| char::from(b'a' + byte % 26));
        Self { what, text: letters.collect() }
    }

    /// The token itself and what it is turned into by those who mean to hide it or to be practical.
    fn disguises(&self) -> Vec<Vec<u8>> {
        let plain = self.text.as_bytes();
        let mut all = vec![plain.to_vec(), hex(plain), self.text.to_uppercase().into_bytes()];
        all.push(plain.iter().rev().copied().collect());
        all.extend((0..3).map(|skipped| inside_base64(plain, skipped)));
        // A digest without a key can be found by trying names.
        all.push(hex(&Sha256::digest(plain)).into_iter().take(16).collect());
        all
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.disguises().iter().any(|disguise| contains(bytes, disguise))
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// What is left of `plain` in any base64 in which so many bytes, modulo three, come before it.
fn inside_base64(plain: &[u8], skipped: usize) -> Vec<u8> {
    let padded = [&vec![0; skipped], plain].concat();
    let whole = padded.len() / 3 * 4;
    let text = BASE64_STANDARD.encode(&padded);
    text.bytes().take(whole).skip([0, 2, 3][skipped]).collect()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// An address of this machine that nobody else uses.
fn address() -> Ipv4Addr {
    let digest = Sha256::digest(unique("address"));
    Ipv4Addr::new(127, 1 + digest[0] % 250, 1 + digest[1] % 250, 1 + digest[2] % 250)
}

#[test]
fn a_disguised_token_is_found() {
    let token = Token::new("seeded");
    for disguise in token.disguises() {
        assert!(token.is_in(&[b"x=\"".as_slice(), &disguise, b"\""].concat()));
    }
    for before in ["", "a", "ab", "abc"] {
        let text = BASE64_STANDARD.encode(format!("{before}{}zz", token.text));
        assert!(token.is_in(text.as_bytes()), "{before}");
    }
    assert!(!token.is_in(b"calm"));
}

#[test]
fn no_word_of_the_watched_code_leaves_the_node_by_any_output() {
    let [directory, file, argument, variable, process, host] =
        ["directory", "file", "argument", "variable", "process", "host"].map(Token::new);
    let version = Token::new("version");
    let address = address();
    let plugin = Plugin::new()
        .held()
        .version(&version.text)
        .may_run("path: /usr/bin/mkdir")
        .may_be(32)
        .declares("actions: { files: alert, exec: alert, network: alert, syscalls: alert, processes: alert, danger: freeze }");
    let [collector, alertmanager, webhook] = [(); 3].map(|()| Sink::open());
    let secret =
        plugin.write("webhook.secret", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n");
    owner_only(&secret);
    let mut stage = Stage::new(plugin);
    stage.configure_with(
        &stage.rule("*", ""),
        &format!(
            "otlp: {{ endpoint: \"{}\", protocol: http/protobuf, interval: 1s }}\n\
             alerts:\n  outbox: {}\n  targets:\n    - {{ name: am, type: alertmanager, url: \"{}\" }}\n    \
             - {{ name: hook, type: webhook, url: \"{}\", secret_file: {} }}\n",
            collector.url(),
            stage.plugin.path("outbox.db").display(),
            alertmanager.url(),
            webhook.url(),
            secret.display(),
        ),
    );
    let daemon = stage.watching();
    stage.make("one");
    daemon.await_watched(&stage.path("one"));

    // Everything in one process tree; the last act is the one that is answered by a freeze.
    let script = format!(
        "mkdir {d}; echo {a} > {d}/{f}; {v}={v} cat {d}/{f} {a}.missing; \
         cp /bin/sleep {d}/{p}; {d}/{p} 0; bash -c 'exec 3<>/dev/tcp/{address}/9'; getent hosts {h}.invalid; \
         printf {p} > /proc/self/comm; unshare -U true; {LINGER}",
        d = directory.text,
        f = file.text,
        a = argument.text,
        v = variable.text,
        p = process.text,
        h = host.text,
    );
    stage.enter("one", &script);
    wait_until("a freeze", || stage.is_frozen("one"));

    // The local reports do have the words: the plugin did what this test is about.
    for word in [&directory.text, &file.text, &process.text, &address.to_string()] {
        daemon.await_one("finding", |finding| finding.to_string().contains(word.as_str()));
    }
    wait_until("the receipt in every output", || {
        let scrape = daemon.get("/metrics").1;
        scrape.contains("outcome=\"done\"")
            && [&collector, &alertmanager, &webhook].iter().all(|sink| version.is_in(&sink.bytes()))
            && contains(&webhook.bytes(), b"freeze")
            && contains(&collector.bytes(), b"picket.containment.receipt")
    });
    let outputs = [
        ("scrape", daemon.get("/metrics").1.into_bytes()),
        ("collector", collector.bytes()),
        ("alertmanager", alertmanager.bytes()),
        ("webhook", webhook.bytes()),
    ];
    let own = stage.plugin.directory().file_name().unwrap().to_str().unwrap();
    let place = Token { what: "working directory", text: own.to_owned() };
    let tokens = [directory, file, argument, variable, process, host, place];
    for (name, bytes) in &outputs {
        assert!(version.is_in(bytes), "what is registered to leave is not in {name}");
        for token in &tokens {
            assert!(!token.is_in(bytes), "{} {} is in {name}", token.what, token.text);
        }
        assert!(!contains(bytes, address.to_string().as_bytes()), "{address} is in {name}");
        assert!(!contains(bytes, &address.octets()), "the bytes of {address} are in {name}");
    }
}

fn owner_only(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
