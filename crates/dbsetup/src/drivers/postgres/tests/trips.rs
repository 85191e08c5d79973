//! How often the client waits for the server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// Passes bytes on and counts how often the direction turns to the server.
fn proxy(target: String, turns: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("somebody connects");
        let server = TcpStream::connect(target).expect("the server listens");
        let answering = Arc::new(AtomicBool::new(true));
        let (from, to) = (server.try_clone().expect("it is open"), client.try_clone().expect("it is open"));
        let back = Arc::clone(&answering);
        std::thread::spawn(move || pass(from, to, &|| back.store(true, Ordering::SeqCst)));
        pass(client, server, &|| {
            if answering.swap(false, Ordering::SeqCst) {
                turns.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, hear: &dyn Fn()) {
    let mut buffer = [0; 65536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        hear();
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Whoever is gone cannot be told.
    let _ = to.shutdown(Shutdown::Write);
}

#[tokio::test]
async fn looking_at_a_ledger_takes_six_turns() {
    let Some(scratch) = Scratch::new("trips").await else { return };
    drop(scratch.prepared().await);
    let place::Host::Name(host) = &scratch.server.place.host else { return scratch.done().await };
    let turns = Arc::new(AtomicUsize::new(0));
    let port = proxy(format!("{host}:{}", scratch.server.place.port), Arc::clone(&turns));
    let mut place = scratch.server.place.clone();
    (place.host, place.port) = (place::Host::Name("127.0.0.1".into()), port);
    // A server that speaks TLS adds its handshake, so that the question for it is counted by hand.
    place.ssl = sqlx::postgres::PgSslMode::Disable;
    turns.fetch_add(1, Ordering::SeqCst);
    let mut session = Session::connect(&place, &options()).await.expect("the server answers");
    let tables = session.find_tables(&["schema_migrations".into()]).await.expect("right");
    assert_eq!(tables.len(), 1);
    session.read_ledger(&ledger(), ALL).await.expect("right");
    Box::new(session).close().await;
    // SSLRequest, start-up, what the session is, tables, rows, goodbye; a password by SCRAM takes two more.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let turns = turns.load(Ordering::SeqCst);
    assert!((6..=8).contains(&turns), "{turns}");
    scratch.done().await;
}
