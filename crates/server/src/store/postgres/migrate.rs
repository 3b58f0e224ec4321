//! Moves a data file into an empty shared database: every table, every position, every key. All of it is one
//! transaction, which commits only when the doctor finds nothing wrong with what was written.

use std::path::Path;

use super::schema;
use super::session::{Place, Session};
use crate::store::Shared;
use crate::store::database::{Database, Next, Row, Value};
use crate::store::failure::Failure;
use crate::store::files::Paths;
use crate::store::sqlite;
use crate::store::tables::{apps, head};
use crate::store::verify::verify_within;

/// Rows of one statement.
const ROWS: usize = 500;

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Int,
    Text,
    Bytes,
}

/// One value on its way.
enum Cell {
    Int(Option<i64>),
    Text(String),
    Bytes(Option<Vec<u8>>),
}

/// Every table with its columns; `i` is a number, `t` a text, `b` bytes.
const TABLES: [(&str, &str); 26] = [
    ("installation", "one:i secret:b app:i app_key:t app_secret:t clean:i"),
    ("apps", "app:i floor:i keys_floor:i forgotten:i claims_floor:i indexed:i"),
    ("changes", "app:i position:i at:i key_hash:b reply:b events:b touched:b"),
    ("channels", "app:i name:t id:i floor:i"),
    ("feed", "app:i channel:i coordinate:i"),
    ("latest", "app:i channel:i key:t coordinate:i"),
    ("keys", "app:i key_hash:b body_hash:i position:i at:i"),
    ("resources", "app:i id:t body:t"),
    ("reservations", "app:i id:t state:i version:i due:i body:t"),
    ("claims", "app:i resource:t day:i start:i reservation:t nth:i end:i units:i by:i until:i forced:i"),
    ("lookups", "app:i kind:i value:t day:i reservation:t"),
    ("waits", "app:i id:t principal:t state:i joined:i version:i body:t"),
    ("waiting", "app:i resource:t joined:i wait:t"),
    ("strikes", "app:i principal:t resource:t at:i body:t"),
    ("inboxes", "app:i owner:t oldest:i body:t"),
    ("notifications", "app:i owner:t number:i at:i topic:t read:i body:t"),
    ("conversations", "app:i id:t created:i last_at:i newest:i gone_up_to:i oldest:i body:t"),
    ("members", "app:i conversation:t member:t body:t"),
    ("messages", "app:i conversation:t number:i at:i body:t"),
    ("endpoints", "app:i name:t body:t"),
    ("letters", "app:i endpoint:t coordinate:i id:t kind:t lane:t body:b died:i attempts:i why:t due:i"),
    ("later", "app:i endpoint:t hour:i coordinate:i"),
    ("links", "app:i subject:t generation:i"),
    ("tenants", "app:i key:t body:t"),
    ("news", "app:i endpoint:t server:t number:i body:t"),
    ("news_here", "app:i endpoint:t server:t channel:t member:t"),
];

/// Moves everything, and says how many rows each table has. The file stays as it is.
pub fn migrate(data: &Path, shared: &Shared) -> Result<Vec<(&'static str, u64)>, Failure> {
    let paths = Paths::new(data);
    if !paths.database.exists() {
        return Err(Failure::Missing(paths.database));
    }
    // A server that works on the file would write behind what was read.
    let _lock = paths.lock()?;
    let place = sqlite::schema::Place { file: paths.database.clone(), disk: None };
    let file = Database::Sqlite(sqlite::schema::connect_current(&place)?);
    let session = Session::new(&Place::parse(&shared.0)?)?;
    schema::migrate(&session)?;
    let target = Database::Postgres(Box::new(session));
    target.write(|target| {
        if let Some(session) = target.shared() {
            schema::lock(session)?;
        }
        if target.exists("SELECT 1 FROM installation", &[])? || target.exists("SELECT 1 FROM apps", &[])? {
            return Err(Failure::Shared(
                "the database has a ledger already; name an empty one, or drop its schema `deskbell`"
                    .to_owned(),
            ));
        }
        let counts = file.at_once(|file| copy(file, target))?;
        settle(&file, target)?;
        if let Some(problem) = verify_within(target)?.problems.into_iter().next() {
            return Err(Failure::Shared(format!(
                "what was written does not fit together: {problem}; nothing was moved"
            )));
        }
        Ok(counts)
    })
}

fn copy(file: &Database, target: &Database) -> Result<Vec<(&'static str, u64)>, Failure> {
    let mut counts = Vec::new();
    for (table, columns) in TABLES {
        let columns: Vec<(&str, Kind)> = columns.split(' ').filter_map(column).collect();
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let names = names.join(", ");
        let (mut rows, mut count) = (Vec::new(), 0);
        file.each(&format!("SELECT {names} FROM {table}"), &[], |row| {
            rows.push(cells(row, &columns)?);
            count += 1;
            if rows.len() == ROWS {
                insert(target, table, &names, &std::mem::take(&mut rows))?;
            }
            Ok(Next::Go)
        })?;
        insert(target, table, &names, &rows)?;
        let there = target.number(&format!("SELECT count(*) FROM {table}"), &[])?.cast_unsigned();
        if there != count {
            return Err(Failure::Shared(format!(
                "{table} has {there} rows where {count} were read; nothing was moved"
            )));
        }
        counts.push((table, count));
    }
    Ok(counts)
}

fn column(text: &str) -> Option<(&str, Kind)> {
    let (name, kind) = text.split_once(':')?;
    Some((
        name,
        match kind {
            "i" => Kind::Int,
            "t" => Kind::Text,
            _ => Kind::Bytes,
        },
    ))
}

fn cells(row: Row<'_>, columns: &[(&str, Kind)]) -> Result<Vec<Cell>, Failure> {
    let cell = |(place, (_, kind)): (usize, &(&str, Kind))| -> Result<Cell, Failure> {
        Ok(match kind {
            Kind::Int => Cell::Int(row.maybe_int(place)?),
            Kind::Text => Cell::Text(row.text(place)?.to_owned()),
            Kind::Bytes => Cell::Bytes(row.maybe_bytes(place)?.map(<[u8]>::to_vec)),
        })
    };
    columns.iter().enumerate().map(cell).collect()
}

fn insert(target: &Database, table: &str, names: &str, rows: &[Vec<Cell>]) -> Result<(), Failure> {
    let Some(width) = rows.first().map(Vec::len) else { return Ok(()) };
    let places = (0..rows.len()).map(|row| {
        let places: Vec<String> = (1..=width).map(|column| format!("?{}", row * width + column)).collect();
        format!("({})", places.join(", "))
    });
    let places = places.collect::<Vec<_>>().join(", ");
    let values: Vec<Value<'_>> = rows
        .iter()
        .flatten()
        .map(|cell| match cell {
            Cell::Int(number) => Value::Int(*number),
            Cell::Text(text) => Value::Text(Some(text)),
            Cell::Bytes(bytes) => Value::Bytes(bytes.as_deref()),
        })
        .collect();
    target.execute(&format!("INSERT INTO {table} ({names}) VALUES {places}"), &values).map(drop)
}

/// What only a shared database has: the last row of each app, and which claims nobody can share.
fn settle(file: &Database, target: &Database) -> Result<(), Failure> {
    for app in apps(file)? {
        let last = head(file, app)?;
        target.execute(
            "UPDATE apps SET position = ?2, check_value = ?3, at = ?4 WHERE app = ?1",
            &[app.into(), last.row.into(), last.check.into(), last.at.into()],
        )?;
    }
    target.execute(
        "UPDATE claims SET alone = true FROM resources, apps
         WHERE resources.app = claims.app AND resources.id = claims.resource AND apps.app = claims.app
         AND resources.body::jsonb ->> 'capacity' = '1' AND forced = 0 AND by <> 3
         AND (until IS NULL OR until > apps.at)
         AND NOT EXISTS (
             SELECT 1 FROM claims AS other
             WHERE other.app = claims.app AND other.resource = claims.resource
             AND (other.reservation, other.nth, other.start) <> (claims.reservation, claims.nth, claims.start)
             AND other.start < claims.\"end\" AND claims.start < other.\"end\" AND other.forced = 0 AND other.by <> 3)",
        &[],
    )?;
    Ok(())
}
