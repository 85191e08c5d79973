//! A proxy in front of a server that holds every message back and counts round trips.
//!
//! A round trip is a message of the client that follows an answer of the server, or that opens the connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy; it lives as long as this process.
#[derive(Debug)]
pub struct Proxy {
    /// The port on the loopback address.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    trips: AtomicU64,
    /// Half a round trip, in microseconds.
    half: AtomicU64,
    /// What clients have sent, where somebody wants to know.
    recorded: Mutex<Option<Vec<u8>>>,
}

impl Proxy {
    /// Listens on a free port, in front of the server's socket.
    ///
    /// # Errors
    /// Those of the listener.
    pub fn start(socket: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let (state, socket) = (Arc::<State>::default(), socket.to_path_buf());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that fails is one that its client sees fail.
                let _ = serve(&client, &socket, &shared);
            }
        });
        Ok(Self { port, state })
    }

    /// Makes every round trip take `delay` longer from now on.
    pub fn delay(&self, delay: Duration) {
        let half = u64::try_from(delay.as_micros() / 2).unwrap_or(u64::MAX);
        self.state.half.store(half, Ordering::Relaxed);
    }

    /// Keeps what clients send from now on.
    pub fn record(&self) {
        *self.state.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// Returns what clients have sent since [`Proxy::record`], and keeps nothing more.
    pub fn take_recorded(&self) -> Vec<u8> {
        self.state.recorded.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// Returns the round trips since the last call.
    pub fn take_trips(&self) -> u64 {
        self.state.trips.swap(0, Ordering::Relaxed)
    }
}

fn serve(client: &TcpStream, socket: &PathBuf, state: &Arc<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(socket)?;
    let answered = Arc::new(AtomicBool::new(true));
    let (to_server, to_client) = (server.try_clone()?, client.try_clone()?);
    let end_server = server.try_clone()?;
    pump(client.try_clone()?, to_server, Arc::clone(state), Arc::clone(&answered), true, move || {
        let _ = end_server.shutdown(Shutdown::Write);
    });
    let end_client = client.try_clone()?;
    pump(server, to_client, Arc::clone(state), answered, false, move || {
        let _ = end_client.shutdown(Shutdown::Write);
    });
    Ok(())
}

/// Carries bytes one way: one thread reads and notes the time, another writes when it is due.
fn pump(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    state: Arc<State>,
    answered: Arc<AtomicBool>,
    of_client: bool,
    end: impl FnOnce() + Send + 'static,
) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        end();
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 18];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if answered.swap(!of_client, Ordering::Relaxed) && of_client {
                state.trips.fetch_add(1, Ordering::Relaxed);
            }
            if of_client
                && let Some(recorded) = &mut *state.recorded.lock().unwrap_or_else(PoisonError::into_inner)
            {
                recorded.extend_from_slice(&buffer[..count]);
            }
            let due = Instant::now() + Duration::from_micros(state.half.load(Ordering::Relaxed));
            if sender.send((due, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}
