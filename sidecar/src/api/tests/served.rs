//! The socket as a file, and what a server bears.

use std::{
    fs,
    io::ErrorKind,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    time::Duration,
};

use tokio::{io::AsyncWriteExt, net::UnixStream, time::timeout};

use super::super::{
    ApiError, Served, Socket, serve,
    server::{Limits, serve_within},
};
use super::{PATIENCE, daemon, exchange, parts, read_all, request};

async fn start(path: &Path) -> Result<Served, ApiError> {
    serve(Socket { path: path.to_owned(), group: None }, daemon(4).0).await
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_socket_is_for_owner_and_group_and_so_is_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("picket");
    let path = home.join("picket.sock");
    let served = start(&path).await.unwrap();
    assert_eq!((mode(&path), mode(&home)), (0o660, 0o750));
    assert_eq!(names(&home), [".picket.sock.lock", "picket.sock"]);
    assert_eq!(mode(&home.join(".picket.sock.lock")), 0o600);
    assert_eq!(parts(&exchange(&path, &request("GET /v1/status")).await).0, 200);
    served.end().await;
    assert_eq!(names(&home), [".picket.sock.lock"]);
}

#[tokio::test]
async fn a_socket_that_a_dead_daemon_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _served = start(&path).await.unwrap();
    assert_eq!(parts(&exchange(&path, &request("GET /v1/status")).await).0, 200);
}

#[tokio::test]
async fn a_second_daemon_is_told_of_the_first_and_leaves_its_socket_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    let _first = start(&path).await.unwrap();
    let error = start(&path).await.unwrap_err().to_string();
    assert!(error.starts_with("another picket runs: it answers on "), "{error}");
    assert_eq!(parts(&exchange(&path, &request("GET /v1/status")).await).0, 200);
}

#[tokio::test]
async fn whoever_else_answers_there_is_left_alone_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    let other = UnixListener::bind(&path).unwrap();
    assert!(matches!(start(&path).await, Err(ApiError::Live { .. })));
    assert!(other.accept().is_ok(), "it was asked whether it lives");
    assert!(path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_never_removed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = directory.path().join("link");
    symlink(&file, &link).unwrap();
    for path in [&file, &link] {
        assert!(matches!(start(path).await, Err(ApiError::Occupied { .. })), "{path:?}");
    }
    assert_eq!(fs::read_to_string(&link).unwrap(), "precious");
}

#[tokio::test]
async fn a_directory_where_others_can_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("shared");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = start(&home.join("picket.sock")).await;
    assert!(matches!(refused, Err(ApiError::Exposed { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_that_is_somebody_elses_by_now_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    let served = start(&path).await.unwrap();
    fs::remove_file(&path).unwrap();
    let successor = UnixListener::bind(&path).unwrap();
    served.end().await;
    assert!(path.exists());
    drop(successor);
}

#[tokio::test]
async fn the_connection_beyond_the_last_is_told_so_and_the_next_is_served_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    let _served = start(&path).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..Limits::STANDARD.connections {
        idle.push(UnixStream::connect(&path).await.unwrap());
    }
    let (status, problem) = parts(&exchange(&path, &request("GET /v1/status")).await);
    assert_eq!((status, &problem["title"]), (503, &"too many connections".into()));
    drop(idle);
    let served_again = async {
        while parts(&exchange(&path, &request("GET /v1/status")).await).0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, served_again).await.unwrap();
}

#[tokio::test]
async fn who_is_slow_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    let limits = Limits {
        head: Duration::from_millis(50),
        answered: Duration::from_millis(200),
        ..Limits::STANDARD
    };
    let settings = Socket { path: path.clone(), group: None };
    let _served = serve_within(limits, settings, daemon(4).0).await.unwrap();
    let half = b"PUT /v1/sandboxes/0.2/mode HTTP/1.1\r\nhost: x\r\ncontent-length: 18\r\n\r\n{";
    for bytes in [&b""[..], b"GET /v1/st", half] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        // Closed by the server: this side goes on being open.
        let answer = read_all(&mut stream).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_are_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picket.sock");
    let _served = start(&path).await.unwrap();
    let endless = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'y'; 64 * 1024]].concat();
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100)).into_bytes();
    for bytes in [b"\x00\xff\x00\r\n\r\n".as_slice(), &endless, &many] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        // The server may have closed before it was told everything.
        if let Err(error) = stream.write_all(bytes).await {
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
        let mut answer = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
        drop(timeout(PATIENCE, read).await.unwrap());
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(parts(&exchange(&path, &request("GET /v1/status")).await).0, 200);
}
