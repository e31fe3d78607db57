//! A memcached to be flushed: the part of its binary protocol that this takes.
#![allow(dead_code)] // each test uses what it needs

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How it behaves.
#[derive(Clone)]
pub enum Manner {
    /// It lets everybody in, and does not know what a login is.
    Open,
    /// It wants this name and password.
    Sasl(&'static str, &'static str),
    /// It answers with this, whatever it is asked.
    Says(Vec<u8>),
    /// It never answers.
    Silent,
    /// It answers one byte at a time, each after this long.
    Slow(Duration),
    /// It ends the connection after half an answer.
    Half,
}

pub struct FakeMemcached {
    pub port: u16,
    /// Each flush.
    pub flushes: Receiver<()>,
}

impl FakeMemcached {
    /// Starts one that ends with the test.
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, flushes) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (manner, sender) = (manner.clone(), sender.clone());
                std::thread::spawn(move || {
                    let _ = serve(&mut stream.unwrap(), &manner, &|| sender.send(()).unwrap_or_default());
                });
            }
        });
        Self { port, flushes }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How often it was flushed since this was asked last.
    pub fn flushed(&self) -> usize {
        self.flushes.try_iter().count()
    }
}

fn serve(stream: &mut TcpStream, manner: &Manner, flushed: &dyn Fn()) -> std::io::Result<()> {
    let mut in_already = !matches!(manner, Manner::Sasl(..));
    loop {
        let mut header = [0; 24];
        stream.read_exact(&mut header)?;
        assert_eq!((header[0], header[5]), (0x80, 0), "a request");
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let key = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let mut body = vec![0; number(8) as usize];
        stream.read_exact(&mut body)?;
        let status: u16 = match (header[1], manner) {
            (0x21, Manner::Sasl(user, password)) => {
                assert_eq!(&body[..key], b"PLAIN");
                in_already = body[key..] == *format!("\0{user}\0{password}").as_bytes();
                if in_already { 0 } else { 0x20 }
            }
            (0x08, _) if in_already => {
                flushed();
                0
            }
            (0x08, _) => 0x20,
            _ => 0x81,
        };
        let text: &[u8] = match status {
            0 => b"",
            0x20 => b"Auth failure",
            _ => b"Unknown command",
        };
        let mut answer = vec![0x81, header[1], 0, 0, 0, 0];
        answer.extend(status.to_be_bytes());
        answer.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        answer.extend(&header[12..16]);
        answer.extend([0; 8]);
        answer.extend(text);
        match manner {
            Manner::Open | Manner::Sasl(..) => {
                // In two pieces, as a network may bring it.
                stream.write_all(&answer[..5])?;
                std::thread::sleep(Duration::from_millis(20));
                stream.write_all(&answer[5..])?;
            }
            Manner::Says(bytes) => stream.write_all(bytes)?,
            Manner::Silent => std::thread::sleep(Duration::from_mins(1)),
            Manner::Slow(pause) => {
                for byte in answer {
                    stream.write_all(&[byte])?;
                    std::thread::sleep(*pause);
                }
            }
            Manner::Half => return stream.write_all(&answer[..12]),
        }
    }
}
