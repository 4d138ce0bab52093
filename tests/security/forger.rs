//! A server that does not say what it has: between a client and a real one, some of whose answers become others.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Forger {
    port: u16,
    forged: Arc<AtomicBool>,
}

impl Forger {
    /// `was` becomes `is`, of the same length, so that no length in the protocol changes.
    pub(crate) fn start(socket: PathBuf, was: Vec<u8>, is: Vec<u8>) -> Self {
        assert_eq!(was.len(), is.len());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let forged = Arc::<AtomicBool>::default();
        let seen = Arc::clone(&forged);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                let (was, is, seen) = (was.clone(), is.clone(), Arc::clone(&seen));
                std::thread::spawn(move || forward(server, client, &was, &is, &seen));
            }
        });
        Self { port, forged }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Some answer was changed.
    pub(crate) fn forged(&self) -> bool {
        self.forged.load(Ordering::SeqCst)
    }
}

fn forward(mut server: UnixStream, mut client: TcpStream, was: &[u8], is: &[u8], seen: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = server.read(&mut buffer) {
        let answer = &mut buffer[..n];
        while let Some(at) = answer.windows(was.len()).position(|w| w == was) {
            answer[at..at + was.len()].copy_from_slice(is);
            seen.store(true, Ordering::SeqCst);
        }
        if client.write_all(answer).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
