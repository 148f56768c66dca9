//! The relay the gateway sends through: it takes everything, outlives every kill, and keeps what it was given.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A relay on a port of its own.
pub(crate) struct Relay {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    pub(crate) fn start() -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let all = Arc::clone(&all);
                // A client that is killed in the middle is what this is about.
                std::thread::spawn(move || serve(&stream, &all).ok());
            }
        });
        Relay { port, taken }
    }

    /// How many mails it answered for that contain these words.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.taken.lock().unwrap().iter().filter(|mail| mail.contains(words)).count()
    }
}

fn serve(stream: &TcpStream, taken: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut out = stream;
    let mut lines = BufReader::new(stream).lines();
    out.write_all(b"220 relay\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        if line == "DATA" {
            out.write_all(b"354 go\r\n")?;
            let mut mail = String::new();
            for line in lines.by_ref() {
                let line = line?;
                if line == "." {
                    // Whatever is answered for counts, whether or not the answer is heard.
                    taken.lock().unwrap().push(std::mem::take(&mut mail));
                    break;
                }
                mail.push_str(&line);
                mail.push('\n');
            }
        }
        out.write_all(if line == "QUIT" { b"221 bye\r\n" } else { b"250 ok 1\r\n" })?;
    }
    Ok(())
}
