//! Whoever is told: a real server that notes what it is sent and answers as its test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use picket_tests::wait_for;
use serde_json::Value;

/// How a request is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    /// These bytes, and the end of the connection.
    Bytes(&'static str),
    /// Nothing, ever.
    Silence,
}

pub(super) const TAKEN: Reply =
    Reply::Bytes("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Noted {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Book {
    noted: Vec<Noted>,
    replies: Vec<Reply>,
    /// Connections that are never answered.
    held: Vec<TcpStream>,
}

/// A server on loopback that lives as long as the test.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

impl Receiver {
    /// Answers so, one request after the other, and takes what comes after that.
    pub(super) fn start(replies: &[Reply]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), replies)
    }

    pub(super) fn on(listener: TcpListener, replies: &[Reply]) -> Self {
        let address = listener.local_addr().unwrap();
        let replies = replies.iter().rev().copied().collect();
        let book = Arc::new(Mutex::new(Book { replies, ..Book::default() }));
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever goes away in the middle has asked nothing.
                drop(serve(stream, &shared));
            }
        });
        Self { address, book }
    }

    pub(super) fn noted(&self) -> Vec<Noted> {
        self.book.lock().unwrap().noted.clone()
    }

    /// Waits for as many requests, and answers all of them.
    pub(super) fn await_noted(&self, count: usize) -> Vec<Noted> {
        wait_for(&format!("{count} requests"), || {
            Some(self.noted()).filter(|noted| count <= noted.len())
        })
    }

    /// What is asked from now on is taken.
    pub(super) fn relent(&self) {
        self.book.lock().unwrap().replies.clear();
    }
}

fn serve(mut stream: TcpStream, book: &Mutex<Book>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, length)| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let mut book = book.lock().unwrap();
    book.noted.push(Noted { headers, body });
    match book.replies.pop().unwrap_or(TAKEN) {
        Reply::Bytes(bytes) => stream.write_all(bytes.as_bytes()),
        Reply::Silence => {
            book.held.push(stream);
            Ok(())
        }
    }
}
