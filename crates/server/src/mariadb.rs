//! One table of a MariaDB or MySQL, over a plain connection that never waits for ever.
//!
//! The password itself is never sent, only a proof of it; the rows come as they are. So this is for the site's own
//! machine or network. It blocks whoever asks, for as long as the database may take.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use deskbell_wire::appointease::table::Row;
use deskbell_wire::mysql::{Address, Fault, Packets, Reading, Told};

/// Bytes of a table that are read: some 400,000 appointments.
pub const LONGEST_TABLE: u64 = 256 * 1024 * 1024;

/// How long a connection may take to open, and the database to say something.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that one reading takes.
const READ: usize = 64 * 1024;

/// All rows, or a sentence that says why not and what to do.
pub fn rows(address: &Address) -> Result<Vec<Row>, String> {
    let name = format!("the database at {}:{}", address.host, address.port);
    let failed = |error: &Error| format!("{name}: {}; look whether it runs there", reason(error));
    let faulty = |fault: &Fault| format!("{name}: {fault}; {}", fault.advice());
    let mut stream = connect(&address.host, address.port).map_err(|error| failed(&error))?;
    let (mut packets, mut reading) = (Packets::default(), Reading::new(address.guest.clone()));
    let (mut rows, mut size) = (Vec::new(), 0_usize);
    let mut buffer = vec![0; READ];
    loop {
        let read = stream.read(&mut buffer).map_err(|error| failed(&error))?;
        if read == 0 {
            return Err(failed(&Error::other("it ended the connection")));
        }
        packets.feed(&buffer[..read]);
        while let Some((count, said)) = packets.next().map_err(|fault| faulty(&fault))? {
            match reading.take(count, &said).map_err(|fault| faulty(&fault))? {
                Told::More => {}
                Told::Send(bytes) => stream.write_all(&bytes).map_err(|error| failed(&error))?,
                Told::Row(row) => {
                    size += row.size();
                    if size as u64 > LONGEST_TABLE {
                        return Err(too_long(&name));
                    }
                    rows.push(row);
                }
                Told::Done => return Ok(rows),
            }
        }
    }
}

/// There is more of it than is read.
pub fn too_long(name: &str) -> String {
    format!("{name}: a table has at most 256 MiB; take a view of those of the last year")
}

fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "it was silent for too long".to_owned(),
        _ => error.to_string(),
    }
}

/// The first of the host's addresses that answers.
fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = Error::other("its name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
