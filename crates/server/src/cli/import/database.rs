//! One table of a MariaDB or MySQL, over a plain connection that never waits for ever.
//!
//! The password itself is never sent, only a proof of it; the rows come as they are. So this is for the site's own
//! machine or network.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use deskbell_wire::appointease::table::Row;
use deskbell_wire::mysql::{Fault, Guest, Packets, Reading, Told};

use super::source::{LONGEST_TABLE, too_long};
use crate::cli::CliError;
use crate::cli::http_client::reason;

/// How long a connection may take to open, and the database to say something.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that one reading takes.
const READ: usize = 64 * 1024;

/// All rows.
pub fn rows(host: &str, port: u16, guest: &Guest) -> Result<Vec<Row>, CliError> {
    let name = format!("the database at {host}:{port}");
    let failed = |error: &std::io::Error| {
        CliError::Failed(format!("{name}: {}; look whether it runs there", reason(error)))
    };
    let faulty = |fault: &Fault| CliError::Failed(format!("{name}: {fault}; {}", fault.advice()));
    let mut stream = connect(host, port).map_err(|error| failed(&error))?;
    let (mut packets, mut reading) = (Packets::default(), Reading::new(guest.clone()));
    let (mut rows, mut size) = (Vec::new(), 0_usize);
    let mut buffer = vec![0; READ];
    loop {
        let read = stream.read(&mut buffer).map_err(|error| failed(&error))?;
        if read == 0 {
            return Err(failed(&std::io::Error::other("it ended the connection")));
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

/// The first of the host's addresses that answers.
fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("its name has no address");
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
