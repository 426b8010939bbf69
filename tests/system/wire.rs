//! A way to a server that a test can interrupt: nothing gets through any more, and nobody is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    is_silent: bool,
    /// How often it was interrupted. Connections that are older than the last time never carry
    /// anything again.
    silences: u64,
}

/// Stands between a worker and its server, and passes on what they say.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    state: Arc<watch::Sender<State>>,
    armed: Arc<AtomicBool>,
}

impl Wire {
    /// A way to the server on this port.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let first = State {
            is_silent: false,
            silences: 0,
        };
        let wire = Self {
            port: listener.local_addr().expect("it listens").port(),
            state: Arc::new(watch::Sender::new(first)),
            armed: Arc::default(),
        };
        let (state, armed) = (wire.state.clone(), wire.armed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, server, state.clone(), armed.clone()));
            }
        });
        wire
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on every packet is dropped, and no connection is closed.
    pub fn silence(&self) {
        silence(&self.state);
    }

    /// The same as soon as a transaction is about to be committed: the server waits for it.
    pub fn silence_before_a_commit(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Returns when it is silent.
    pub async fn is_silent(&self) {
        let mut state = self.state.subscribe();
        state
            .wait_for(|state| state.is_silent)
            .await
            .expect("it is kept here");
    }

    /// New connections carry again. What was open when it fell silent stays open and silent.
    pub fn heal(&self) {
        self.state.send_modify(|state| state.is_silent = false);
    }
}

fn silence(state: &watch::Sender<State>) {
    state.send_modify(|state| {
        state.is_silent = true;
        state.silences += 1;
    });
}

async fn pass_on(mut client: TcpStream, port: u16, state: Arc<watch::Sender<State>>, armed: Arc<AtomicBool>) {
    let mut seen = state.subscribe();
    let mine = seen.borrow().silences;
    if seen.wait_for(|state| !state.is_silent).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        if seen.borrow().silences != mine {
            // Both ends stay open for as long as the test goes on.
            return std::future::pending().await;
        }
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let says_commit = asked[..read].windows(6).any(|word| word == b"COMMIT");
                if says_commit && armed.swap(false, Ordering::SeqCst) {
                    silence(&state);
                }
                if seen.borrow().silences == mine && server.write_all(&asked[..read]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if seen.borrow().silences == mine && client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
            _ = seen.changed() => {}
        }
    }
}
