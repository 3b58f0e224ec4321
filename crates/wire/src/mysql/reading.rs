//! The whole conversation: a greeting, a proof, one question, and its rows.

use super::Fault;
use super::field::{Fields, Value, refusal};
use super::login::{self, NATIVE};
use super::packets::packet;
use crate::appointease::table::{COLUMNS, Row};

/// The command that asks.
const QUERY: u8 = 3;

/// First bytes of packets: it is good, it ends or wants another proof, it refuses.
const OK: u8 = 0x00;
const END: u8 = 0xfe;
const REFUSED: u8 = 0xff;

/// An end has at most so many bytes; a row that begins like one is longer.
const LONGEST_END: usize = 8;

/// Who reads what.
#[derive(Clone)]
pub struct Guest {
    /// Who.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Where the table is.
    pub database: String,
    /// The table.
    pub table: String,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guest({} in {}.{})", self.user, self.database, self.table)
    }
}

/// What follows from a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet.
    More,
    /// These bytes are to be sent.
    Send(Vec<u8>),
    /// A row.
    Row(Row),
    /// There are no more.
    Done,
}

/// A conversation under way.
#[derive(Debug)]
pub struct Reading {
    guest: Guest,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Greeting,
    SigningIn,
    Asked,
    /// So many columns are still to be named.
    Columns(usize, Vec<String>),
    /// All have their names; an end comes next.
    Named(Vec<String>),
    Rows(Vec<String>),
    Over,
}

impl Reading {
    /// A conversation that begins: the database speaks first.
    pub const fn new(guest: Guest) -> Self {
        Self { guest, stage: Stage::Greeting }
    }

    /// Takes a packet with its count.
    pub fn take(&mut self, count: u8, said: &[u8]) -> Result<Told, Fault> {
        let first = said.first().copied().ok_or(Fault::Strange)?;
        // Rows and names never begin so.
        if first == REFUSED {
            return Err(refusal(said));
        }
        let (told, stage) = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Greeting => {
                let Guest { user, password, database, .. } = &self.guest;
                let login = login::login(&login::salt(said)?, user, password, database);
                (Told::Send(packet(count.wrapping_add(1), &login)), Stage::SigningIn)
            }
            Stage::SigningIn if first == OK => {
                let question = [&[QUERY], question(&self.guest.table).as_bytes()].concat();
                (Told::Send(packet(0, &question)), Stage::Asked)
            }
            Stage::SigningIn if first == END => {
                (Told::Send(packet(count.wrapping_add(1), &self.prove(said)?)), Stage::SigningIn)
            }
            Stage::Asked if first != OK => {
                // A wish for a file of ours begins like no number.
                let columns = usize::try_from(Fields(said).number()?).map_err(|_| Fault::Wide)?;
                if columns > COLUMNS {
                    return Err(Fault::Wide);
                }
                (Told::More, Stage::Columns(columns, Vec::with_capacity(columns)))
            }
            Stage::Columns(left, mut names) if left > 0 => {
                names.push(column(said)?);
                let next = if left == 1 { Stage::Named(names) } else { Stage::Columns(left - 1, names) };
                (Told::More, next)
            }
            Stage::Named(names) if is_end(said) => (Told::More, Stage::Rows(names)),
            Stage::Rows(_) if is_end(said) => (Told::Done, Stage::Over),
            Stage::Rows(names) => (Told::Row(row(&names, said)?), Stage::Rows(names)),
            _ => return Err(Fault::Strange),
        };
        self.stage = stage;
        Ok(told)
    }

    /// It wants the proof with another salt, or of another kind.
    fn prove(&self, said: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut fields = Fields(said);
        fields.byte()?;
        let kind = fields.until_zero()?;
        if kind != NATIVE {
            let name = String::from_utf8_lossy(kind);
            return Err(Fault::Proof(name.chars().filter(char::is_ascii_graphic).take(64).collect()));
        }
        Ok(login::proof(&login::salt_of(fields.0)?, &self.guest.password))
    }
}

/// The one question.
fn question(table: &str) -> String {
    // A back quote within a name is doubled.
    format!("SELECT * FROM `{}`", table.replace('`', "``"))
}

fn is_end(said: &[u8]) -> bool {
    said.first() == Some(&END) && said.len() <= LONGEST_END
}

/// The name in the description of a column: the fifth of its texts.
fn column(said: &[u8]) -> Result<String, Fault> {
    let mut fields = Fields(said);
    for _ in 0..4 {
        fields.text()?;
    }
    Ok(String::from_utf8_lossy(fields.text()?).into_owned())
}

fn row(names: &[String], said: &[u8]) -> Result<Row, Fault> {
    let mut fields = Fields(said);
    let value = |_: &String| {
        Ok(match fields.value()? {
            Value::Null => None,
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        })
    };
    let values: Vec<Option<String>> = names.iter().map(value).collect::<Result<_, Fault>>()?;
    Ok(Row::new(names.iter().map(String::as_str), values))
}
