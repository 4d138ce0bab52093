//! A server of an attacker, which a login has come to.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Asks for the password in clear text.
pub(crate) const CLEAR_TEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";

/// Says that the password is wrong, whichever it is.
pub(crate) const WRONG_PASSWORD: &[u8] = b"E\0\0\0\x23SFATAL\0VFATAL\0C28P01\0Mno good\0\0";

/// A server that answers every message with the same, and keeps what it hears.
pub(crate) struct RogueServer {
    port: u16,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl RogueServer {
    pub(crate) fn start(says: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let rogue = Self { port, connections: Arc::default(), heard: Arc::default() };
        let (connections, heard) = (Arc::clone(&rogue.connections), Arc::clone(&rogue.heard));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || Self::answer(stream.unwrap(), says, &heard));
            }
        });
        rogue
    }

    fn answer(mut stream: TcpStream, says: &[u8], heard: &Mutex<Vec<u8>>) {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            let message = &buffer[..n];
            heard.lock().unwrap().extend_from_slice(message);
            // To the request for TLS: no.
            let no_tls = message.get(4..8) == Some(&80_877_103_u32.to_be_bytes());
            let answer: &[u8] = if no_tls { b"N" } else { says };
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://u@127.0.0.1:{}/rogue", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn has_heard(&self, text: &str) -> bool {
        self.heard.lock().unwrap().windows(text.len()).any(|w| w == text.as_bytes())
    }
}
