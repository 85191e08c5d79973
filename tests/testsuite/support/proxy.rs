//! A wire between the program and its server that can be cut at any message: the n-th, for every n.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens to the chosen message of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not arrive, and the wire is cut.
    LoseMessage,
    /// It arrives, the answer does not, and the wire is cut.
    LoseAnswer,
    /// It does not arrive, and the wire stays as it is: for a client that is to be killed.
    HoldMessage,
    /// It arrives, and nothing of the answer comes back: for a client that is to be killed.
    HoldAnswer,
}

/// A TCP proxy with one fault.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    happened: Receiver<()>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    messages: AtomicUsize,
    /// Which message, counted from 1 over all connections; zero for none.
    chosen: AtomicUsize,
    fault: Mutex<Fault>,
    tell: Mutex<Sender<()>>,
}

impl Proxy {
    /// Starts a proxy before `upstream`, `host:port`. Its threads end with the test's process.
    #[track_caller]
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let (tell, happened) = channel();
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            messages: AtomicUsize::new(0),
            chosen: AtomicUsize::new(0),
            fault: Mutex::new(Fault::LoseMessage),
            tell: Mutex::new(tell),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.serve(&client));
            }
        });
        Self { port, state, happened }
    }

    /// Returns `host:port` of the proxy.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Chooses the next fault and counts from the start.
    pub fn arm(&self, message: usize, fault: Fault) {
        while self.happened.try_recv().is_ok() {}
        *self.state.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        self.state.messages.store(0, Ordering::SeqCst);
        self.state.chosen.store(message, Ordering::SeqCst);
    }

    /// Lets everything through, and counts from the start.
    pub fn count(&self) {
        self.disarm();
        self.state.messages.store(0, Ordering::SeqCst);
    }

    /// Returns how many messages the clients have sent since then.
    pub fn messages(&self) -> usize {
        self.state.messages.load(Ordering::SeqCst)
    }

    /// Lets everything through.
    pub fn disarm(&self) {
        self.state.chosen.store(0, Ordering::SeqCst);
    }

    /// Whether the fault has happened since it was armed.
    pub fn has_happened(&self) -> bool {
        self.happened.try_recv().is_ok()
    }
}

impl State {
    fn serve(&self, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(&self.upstream) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let deaf = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| self.answers(&server, client, &deaf));
            self.messages(client, &server, &deaf);
        });
    }

    fn happen(&self) {
        // The test may be over.
        let _ = self.tell.lock().unwrap_or_else(PoisonError::into_inner).send(());
    }

    fn messages(&self, mut client: &TcpStream, mut server: &TcpStream, deaf: &AtomicBool) {
        let mut buffer = [0; 65536];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
            if number == self.chosen.load(Ordering::SeqCst) {
                let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                match fault {
                    Fault::LoseMessage => {
                        self.happen();
                        break;
                    }
                    Fault::HoldMessage => {
                        self.happen();
                        // Reads on until the client is gone.
                        while let Ok(1..) = client.read(&mut buffer) {}
                        break;
                    }
                    Fault::LoseAnswer | Fault::HoldAnswer => deaf.store(true, Ordering::SeqCst),
                }
            }
            if server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    }

    fn answers(&self, mut server: &TcpStream, mut client: &TcpStream, deaf: &AtomicBool) {
        let mut buffer = [0; 65536];
        loop {
            let read = server.read(&mut buffer);
            if deaf.load(Ordering::SeqCst) {
                self.happen();
                if *self.fault.lock().unwrap_or_else(PoisonError::into_inner) == Fault::HoldAnswer {
                    while let Ok(1..) = server.read(&mut buffer) {}
                }
                break;
            }
            match read {
                Ok(count @ 1..) if client.write_all(&buffer[..count]).is_ok() => {}
                _ => break,
            }
        }
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    }
}
