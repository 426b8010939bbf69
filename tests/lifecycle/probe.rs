//! Asking a worker process over HTTP, byte by byte.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::system::{Process, eventually};

/// The flags of a worker that can be asked.
pub const HTTP: [&str; 2] = ["--http", "127.0.0.1:0"];

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub head: String,
    pub body: String,
}

/// Where the worker says that it listens.
pub async fn address(worker: &Process) -> SocketAddr {
    worker.says("answers live, ready and metrics").await;
    let log = worker.log();
    let behind = log.split_once("http://").expect("it says where").1;
    let address = behind.split_once('/').expect("a path follows").0;
    address.parse().expect("an address with its port")
}

/// Sends these bytes and reads until the other side closes.
pub async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let code = head.split(' ').nth(1).expect("a status line");
    Answer {
        code: code.parse().expect("a number"),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Asks for a path.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: worker\r\n\r\n")).await
}

/// Returns when the path is answered with this code, with the answer.
pub async fn becomes(address: SocketAddr, path: &str, code: u16) -> Answer {
    eventually(&format!("{path} to be {code}"), async || {
        let answer = get(address, path).await;
        if answer.code == code {
            Ok(answer)
        } else {
            Err(format!("{answer:?}"))
        }
    })
    .await
}

/// The value of the line of metrics that begins so.
pub fn metric(page: &str, name: &str) -> Option<f64> {
    page.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(|value| value.parse().expect("a number"))
}
