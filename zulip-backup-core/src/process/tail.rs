//! The last words of a child.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much is kept, in bytes.
const LIMIT: usize = 64 << 10;

/// How long to wait for the end of the stream once the child has ended. A grandchild that inherited it (a daemon, a
/// worker) may hold it open for as long as it lives.
const LINGER: Duration = Duration::from_secs(1);

/// Reads a stream to its end on a thread of its own, so that the writer never blocks, and keeps the last 64 KiB.
pub(crate) struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tail").field(&last_lines(&self.text())).finish()
    }
}

impl Tail {
    /// Begins to read `stream`.
    pub(crate) fn follow(mut stream: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&kept);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 8 << 10];
            loop {
                let amount = match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(amount) => amount,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                if let Ok(mut kept) = shared.lock() {
                    kept.extend_from_slice(&buffer[..amount]);
                    let surplus = kept.len().saturating_sub(LIMIT);
                    kept.drain(..surplus);
                }
            }
        });
        Self { kept, reader }
    }

    /// Whether everybody who could write has closed the stream.
    pub(crate) fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// What was said so far.
    pub(crate) fn text(&self) -> String {
        self.kept.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned()).unwrap_or_default()
    }

    /// What was said, once the stream has ended or a second has passed.
    pub(crate) fn finish(self) -> String {
        let deadline = Instant::now() + LINGER;
        while !self.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut text = self.text();
        // Bytes that are not UTF-8 grow when they are replaced.
        while text.len() > LIMIT {
            text.drain(..text.ceil_char_boundary(text.len() - LIMIT));
        }
        text
    }
}

/// The last five lines that say something, on one line and of bounded length.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = lines[lines.len().saturating_sub(5)..].join("; ");
    let start = joined.ceil_char_boundary(joined.len().saturating_sub(1500));
    joined[start..].chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_one_line() {
        assert_eq!(last_lines("a\n\nb\nc\nd\ne\nf\n"), "b; c; d; e; f");
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("colour \u{1b}[31mred"), "colour  [31mred");
        assert!(last_lines(&"ä".repeat(5000)).len() <= 1500);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_exceed_the_limit() {
        let text = Tail::follow(std::io::Cursor::new(vec![0xff; 100_000])).finish();
        assert!(text.len() <= LIMIT, "{}", text.len());
    }
}
