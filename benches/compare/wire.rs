//! The least that a client of PostgreSQL can do: connect to a server that trusts it, and send text as one message.
//!
//! It is the yardstick of a load, and what prepares databases between two measurements. The message formats are those
//! of <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to one database.
#[derive(Debug)]
pub struct Wire {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Wire {
    /// Connects as `postgres` through the socket `path`.
    ///
    /// # Errors
    /// Those of the socket, and whatever the server answers other than that it is ready.
    pub fn connect(path: &Path, database: &str) -> io::Result<Self> {
        let writer = UnixStream::connect(path)?;
        let mut wire = Self { reader: BufReader::with_capacity(1 << 16, writer.try_clone()?), writer };
        let mut startup = 196_608_u32.to_be_bytes().to_vec();
        startup.extend(format!("user\0postgres\0database\0{database}\0\0").bytes());
        wire.send(None, &startup)?;
        wire.wait()?;
        Ok(wire)
    }

    /// Sends `sql` as one simple query, and waits until the server is ready again.
    ///
    /// # Errors
    /// The server's first error, as text.
    pub fn query(&mut self, sql: &str) -> io::Result<()> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.wait()
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend(length.to_be_bytes());
        message.extend(body);
        self.writer.write_all(&message)
    }

    /// Reads until `ReadyForQuery`.
    fn wait(&mut self) -> io::Result<()> {
        let mut failure = None;
        loop {
            let mut head = [0; 5];
            if let Err(error) = self.reader.read_exact(&mut head) {
                return Err(failure.unwrap_or(error));
            }
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length.saturating_sub(4)];
            self.reader.read_exact(&mut body)?;
            match head[0] {
                b'Z' => return failure.map_or(Ok(()), Err),
                b'E' if failure.is_none() => failure = Some(io::Error::other(message_of(&body))),
                b'R' if body != [0; 4] => return Err(io::Error::other("the server wants a password")),
                _ => {}
            }
        }
    }
}

/// Returns the longest simple query in what one client has sent to a server that trusts it: a message without a letter
/// to begin with, then messages with one.
pub fn longest_query(sent: &[u8]) -> Option<String> {
    let length = |at: usize| Some(u32::from_be_bytes(sent.get(at..at + 4)?.try_into().ok()?) as usize);
    let mut at = length(0)?;
    let mut longest: &[u8] = &[];
    while let (Some(kind), Some(length)) = (sent.get(at), length(at + 1)) {
        let body = sent.get(at + 5..at + 1 + length)?;
        if *kind == b'Q' && body.len() > longest.len() {
            longest = body;
        }
        at += 1 + length;
    }
    String::from_utf8(longest.strip_suffix(&[0])?.to_vec()).ok()
}

/// Returns the message of an `ErrorResponse`: fields of a letter and a text that ends with a zero.
fn message_of(body: &[u8]) -> String {
    let field = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&b'M'));
    String::from_utf8_lossy(field.map_or(b"", |field| &field[1..])).into_owned()
}
