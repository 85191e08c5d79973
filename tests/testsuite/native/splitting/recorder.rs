//! A server that believes everything and writes it down. It knows as much of PostgreSQL's protocol as psql needs to go
//! on: see "Frontend/Backend Protocol" in the documentation.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use dbsetup::sql::{Dialect, TokenKind, tokens};

use super::Sent;

/// Asks whether the connection may be encrypted.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// The server, for one file.
pub struct Recorder {
    port: u16,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Recorder {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::downgrade(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Nobody listens to what comes after the end.
                let (Ok(stream), Some(sink)) = (stream, sink.upgrade()) else { return };
                // One after the other: psql has a single connection.
                _ = Session { stream, sent: sink }.serve();
            }
        });
        Self { port, sent }
    }

    pub fn url(&self) -> String {
        format!("postgres://nobody@127.0.0.1:{}/nothing?sslmode=disable&gssencmode=disable", self.port)
    }

    /// Returns what was sent.
    pub fn end(self) -> Vec<Sent> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        drop(self.sent);
        // Wakes the listener, which then sees that nobody wants to know any more.
        _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        sent
    }
}

struct Session {
    stream: TcpStream,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Session {
    fn serve(mut self) -> Result<()> {
        // Two answers in a row would wait for the client's word that the first one came.
        self.stream.set_nodelay(true)?;
        loop {
            let length = self.number()?;
            let code = self.number()?;
            let mut rest = vec![0; (length as usize).saturating_sub(8)];
            self.stream.read_exact(&mut rest)?;
            match code {
                SSL_REQUEST | GSS_REQUEST => self.stream.write_all(b"N")?,
                CANCEL_REQUEST => return Ok(()),
                _ => break,
            }
        }
        self.answer(b'R', &[0; 4])?;
        for (name, value) in [
            ("server_version", "15.0"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
        ] {
            self.parameter(name, value)?;
        }
        self.answer(b'Z', b"I")?;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                b'Q' => {
                    self.query(&text(&body))?;
                    self.answer(b'Z', b"I")?;
                }
                // The extended protocol: the text comes with Parse, behind the statement's name.
                b'P' => {
                    let query = body.iter().position(|byte| *byte == 0).map_or(0, |end| end + 1);
                    self.note(Sent::Statement(text(&body[query..])));
                    self.answer(b'1', b"")?;
                }
                b'B' => self.answer(b'2', b"")?,
                b'D' => self.answer(b'n', b"")?,
                b'E' => self.answer(b'C', b"DO\0")?,
                b'C' => self.answer(b'3', b"")?,
                b'S' => self.answer(b'Z', b"I")?,
                b'X' => return Ok(()),
                _ => {}
            }
        }
    }

    fn query(&mut self, query: &str) -> Result<()> {
        self.note(Sent::Statement(query.to_owned()));
        let lower = query.to_ascii_lowercase();
        let words: Vec<&str> = tokens(Dialect::Postgres, &lower)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|token| token.text)
            .collect();
        // Both names of the client's side are taken in both directions.
        let from_client = |pair: &[&str]| pair[0] == "from" && matches!(pair[1], "stdin" | "stdout");
        if words.first() == Some(&"copy") && words.windows(2).any(from_client) {
            self.answer(b'G', &[0, 0, 0])?;
            let mut data = Vec::new();
            loop {
                match self.message()? {
                    (b'd', bytes) => data.extend(bytes),
                    (b'c' | b'f', _) => break,
                    _ => {}
                }
            }
            self.note(Sent::Data(String::from_utf8_lossy(&data).into_owned()));
        }
        // psql reads strings as the server says.
        if matches!(words.first(), Some(&("set" | "reset"))) && words.contains(&"standard_conforming_strings")
        {
            let off = words.contains(&"off") || words.contains(&"false");
            self.parameter("standard_conforming_strings", if off { "off" } else { "on" })?;
        }
        self.answer(b'C', b"DO\0")
    }

    fn note(&self, sent: Sent) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<()> {
        self.answer(b'S', format!("{name}\0{value}\0").as_bytes())
    }

    fn answer(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len() + 4).expect("answers are short");
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(body);
        self.stream.write_all(&message)
    }

    fn message(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut kind = [0];
        self.stream.read_exact(&mut kind)?;
        let length = self.number()? as usize;
        let mut body = vec![0; length.saturating_sub(4)];
        self.stream.read_exact(&mut body)?;
        Ok((kind[0], body))
    }

    fn number(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.stream.read_exact(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }
}

/// Returns the text up to the NUL that ends it.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
