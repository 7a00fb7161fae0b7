//! A gate in front of a server: it can be shut, as in an outage, or hold a connection after this many bytes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Passes connections on to a server; ends with the test.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    open: AtomicBool,
    ended: AtomicBool,
    /// Bytes that may still pass on the way to the server.
    allowance: AtomicU64,
    /// Bytes that have passed on that way.
    passed: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// An open gate to `server`.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            server,
            open: AtomicBool::new(true),
            ended: AtomicBool::new(false),
            allowance: AtomicU64::new(u64::MAX),
            passed: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let own = Arc::clone(&state);
        thread::spawn(move || own.accept(&listener));
        Self { address, state }
    }

    /// Cuts every connection and refuses new ones.
    pub(crate) fn shut(&self) {
        self.state.open.store(false, Ordering::SeqCst);
        self.state.cut();
    }

    pub(crate) fn open(&self) {
        self.state.open.store(true, Ordering::SeqCst);
    }

    /// After this many more bytes to the server nothing passes: whoever sends waits.
    pub(crate) fn hold_after(&self, bytes: u64) {
        self.state.passed.store(0, Ordering::SeqCst);
        self.state.allowance.store(bytes, Ordering::SeqCst);
    }

    /// Lets everything through again; what was held is lost.
    pub(crate) fn release(&self) {
        self.state.cut();
        self.state.allowance.store(u64::MAX, Ordering::SeqCst);
    }

    /// Waits until a sender is held.
    ///
    /// # Panics
    /// When none is within half a minute.
    pub(crate) fn await_held(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.state.allowance.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < deadline, "{} bytes passed", self.state.passed.load(Ordering::SeqCst));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.shut();
        TcpStream::connect(self.address).ok(); // wakes the listener, which then ends
    }
}

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            // A client that comes to a shut gate finds its connection closed at once.
            let Ok(client) = client else { continue };
            if self.open.load(Ordering::SeqCst) {
                self.pass(client).ok();
            }
        }
    }

    fn pass(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.server)?;
        let (client_again, server_again) = (client.try_clone()?, server.try_clone()?);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.extend([client.try_clone()?, server.try_clone()?]);
        drop(connections);
        let own = Arc::clone(self);
        thread::spawn(move || own.copy(client, server, true));
        let own = Arc::clone(self);
        thread::spawn(move || own.copy(server_again, client_again, false));
        Ok(())
    }

    /// Copies one way until an end closes.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, is_request: bool) {
        let mut buffer = [0; 64 * 1024];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(length) if length > 0 => length,
                _ => break,
            };
            let allowed = if is_request { self.allow(length) } else { length };
            if to.write_all(&buffer[..allowed]).is_err() {
                break;
            }
            if allowed < length {
                return; // held: both ends stay open
            }
        }
        to.shutdown(Shutdown::Write).ok();
    }

    fn allow(&self, length: usize) -> usize {
        let wanted = length as u64;
        let before = self.allowance.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            Some(if left == u64::MAX { left } else { left.saturating_sub(wanted) })
        });
        let allowed = before.unwrap_or_default().min(wanted);
        self.passed.fetch_add(allowed, Ordering::SeqCst);
        usize::try_from(allowed).unwrap_or(length)
    }

    fn cut(&self) {
        for connection in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            connection.shutdown(Shutdown::Both).ok();
        }
    }
}
