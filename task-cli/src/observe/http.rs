//! `/live`, `/ready` and `/metrics` for whoever probes the worker.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, server};
use hyper_util::rt::{TokioIo, TokioTimer};
use task_core::{Error, ErrorKind, Result};
use task_worker::WorkerStatus;
use tokio::sync::Semaphore;

use super::metrics;

/// How many connections may be open at a time. Further ones wait.
const MOST_CONNECTIONS: usize = 64;

/// How long a client may take to send the head of its request.
const HEAD_WITHIN: Duration = Duration::from_secs(2);

/// How long a connection may last, with one request and its answer.
const CONNECTION_WITHIN: Duration = Duration::from_secs(5);

/// The longest head of a request, in bytes: the least that hyper takes.
const LONGEST_HEAD: usize = 8192;

/// The pause after a connection could not be accepted, such as for want of file handles.
const PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";

/// Listens on the address.
///
/// # Errors
/// [`ErrorKind::State`] with the reason.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        tracing::info!(
            "http://{}/ answers live, ready and metrics",
            listener.local_addr()?
        );
        Ok(listener)
    });
    listener.map_err(|error| {
        Error::new(
            ErrorKind::State,
            format!("cannot listen on {address} for probes and metrics: {error}"),
        )
        .hint("give --http an address of this machine with a free port; port 0 takes any")
    })
}

/// Answers for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, status: WorkerStatus) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot answer probes"),
    };
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Never closed, so a permit always comes.
        let Ok(permit) = free.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a probe could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let status = status.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = answer(&request, &status);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .keep_alive(false)
                .max_buf_size(LONGEST_HEAD)
                .serve_connection(TokioIo::new(stream), answer);
            // What a client does wrong, or how slowly it reads, is its own affair.
            if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_WITHIN, connection).await {
                tracing::debug!(%error, "a probe ended badly");
            }
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, status: &WorkerStatus) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refusal = respond(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "GET and HEAD only\n".to_owned(),
        );
        refusal
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/live" => probe(status.live(), "live"),
        "/ready" => probe(status.ready(), "ready"),
        "/metrics" => match metrics::text(&status.snapshot()) {
            Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        _ => respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "not found; there are /live, /ready and /metrics\n".to_owned(),
        ),
    }
}

fn probe(state: std::result::Result<(), String>, good: &str) -> Response<Full<Bytes>> {
    match state {
        Ok(()) => respond(StatusCode::OK, TEXT, format!("{good}\n")),
        Err(reason) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    }
}

fn respond(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
