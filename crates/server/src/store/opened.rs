//! A store before it works: what is read at a start, and what it takes to start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use deskbell_core::event::SharedEntry;
use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::position::{Position, fnv};

use super::cached;
use super::carried::{self, What};
use super::database::Database;
use super::failure::Failure;
use super::files::Paths;
use super::installation::{self, Installation, Seed};
use super::kept::{Kept, Shared};
use super::lane::Lane;
use super::ledger::{Ledger, Seeds};
use super::members::Members;
use super::notes::news;
use super::notes::{KeptNews, Owner};
use super::postgres::follow::{Follower, Woken};
use super::postgres::notes::Notes;
use super::postgres::session::Session;
use super::sqlite::checkpoint::Checkpointer;
use super::sqlite::schema::{self, Place};
use super::teller::Teller;
use super::tenants::{self, Tenant};
use super::writer::Writer;
use super::{Control, READS, Store, WRITE_BYTES, WRITES, World, postgres, reader, spawn, tables};

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// The directory in which everything is kept.
    pub data: PathBuf,
    /// Random bytes, used at the first start only.
    pub seed: Seed,
    /// How long events of durable channels are kept; never less than idempotency keys are.
    pub durable_age: Millis,
    /// The disk that the database is on, as SQLite knows it. `None` is the system's own, and every
    /// other one belongs to a test.
    pub disk: Option<String>,
    /// The database that several processes share, in place of a file of this process.
    pub shared: Option<Shared>,
}

/// A store whose file is open and locked, and that does not work yet: what a log is begun with is
/// read from it, and with the log's feed it is started.
#[derive(Debug)]
pub struct Opened {
    paths: Paths,
    kept: Kept,
    /// The rows that logs were begun with.
    heads: Mutex<Vec<(AppId, u64)>>,
    control: Database,
    installation: Installation,
    first_start: bool,
    clean: bool,
    durable_age: Millis,
    members: Members,
    /// What this server is called in a shared database, if it has no name there yet.
    name: u64,
    lock: File,
}

impl Opened {
    /// Opens the data directory, and makes what is missing in it.
    pub fn open(options: &Options) -> Result<Self, Failure> {
        let paths = Paths::new(&options.data);
        paths.create()?;
        let lock = paths.lock()?;
        if let Some(Shared(url)) = &options.shared {
            return Self::open_shared(options, paths, lock, url);
        }
        paths.create_database()?;
        let place = Place { file: paths.database.clone(), disk: options.disk.clone() };
        let mut control = schema::connect(&place)?;
        schema::migrate(&mut control, &paths.database)?;
        paths.keep_names()?;
        // Before anything is answered from what is found here.
        schema::secure(&control, &paths.database)?;
        Self::begin(options, paths, lock, Database::Sqlite(control), |control, _| {
            Ok((Kept::File(place), carried::begin(control)?))
        })
    }

    fn open_shared(options: &Options, paths: Paths, lock: File, url: &str) -> Result<Self, Failure> {
        let place = postgres::session::Place::parse(url)?;
        let session = Session::new(&place)?;
        postgres::schema::migrate(&session)?;
        Self::begin(options, paths, lock, Database::Postgres(Box::new(session)), |_, paths| {
            let (notes, clean) = Notes::begin(paths)?;
            Ok((Kept::Shared(Box::new(place), notes), clean))
        })
    }

    /// Finds out who this is, and only then takes note that the run before is over, and how it ended.
    fn begin(
        options: &Options,
        paths: Paths,
        lock: File,
        control: Database,
        kept: impl FnOnce(&Database, &Paths) -> Result<(Kept, bool), Failure>,
    ) -> Result<Self, Failure> {
        let (installation, first_start) = installation::settle(&control, &paths, &options.seed)?;
        let (kept, clean) = kept(&control, &paths)?;
        Ok(Self {
            kept,
            heads: Mutex::default(),
            installation,
            first_start,
            clean,
            durable_age: options.durable_age,
            members: Members::load(&control)?,
            name: fnv(&options.seed.app_key),
            control,
            paths,
            lock,
        })
    }

    /// The time of a shared database, which is everybody's who works on it.
    pub fn shared_time(&self) -> Result<Option<Millis>, Failure> {
        self.control.shared().map(postgres::lock::time).transpose()
    }

    /// The facts of this installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The facts were made just now.
    pub fn is_first_start(&self) -> bool {
        self.first_start
    }

    /// The last run ended cleanly.
    pub fn was_clean(&self) -> bool {
        self.clean
    }

    /// Who is in which conversation of any app, now and from now on.
    pub fn members(&self) -> Members {
        self.members.clone()
    }

    /// Where the credentials were written down.
    pub fn credentials_file(&self) -> &Path {
        &self.paths.credentials
    }

    /// The apps that were added while a server ran.
    pub fn tenants(&self) -> Result<Vec<Tenant>, Failure> {
        tenants::all(&self.control)
    }

    /// The last row of an app with its check value, or zeros: what a log begins with.
    pub fn head(&self, app: AppId) -> Result<(u64, u32), Failure> {
        let head = tables::head(&self.control, app)?;
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        // The first one counts: the log is begun with it.
        if !heads.iter().any(|(of, _)| *of == app) {
            heads.push((app, head.row));
        }
        Ok((head.row, head.check))
    }

    /// When the last row of all was written. The server's time goes on from there, whatever the
    /// machine's clock says: time never goes back over a restart.
    pub fn last_at(&self) -> Result<Millis, Failure> {
        let apps = tables::apps(&self.control)?.into_iter();
        let times = apps.map(|app| tables::head(&self.control, app).map(|head| head.at));
        Ok(times.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or(0))
    }

    /// The ledger of this file without any thread, for whoever drives it alone. The directory is
    /// this process's as long as nobody drops what is returned with it.
    pub fn ledger(self, now: Millis, seeds: Seeds) -> Result<Ledger, Failure> {
        let mut ledger = Ledger::open(self.kept.connect()?, now, seeds)?;
        ledger.keep(self.lock);
        Ok(ledger)
    }

    /// Takes out what a clean stop wrote down of an app's log. A second call finds nothing, so
    /// everything else that can stop a start should be done before.
    pub fn take_carry(&mut self, app: AppId) -> Result<Option<String>, Failure> {
        self.kept.take(&self.control, app, What::Log)
    }

    /// The same for the app's sessions.
    pub fn take_sessions(&mut self, app: AppId) -> Result<Option<String>, Failure> {
        self.kept.take(&self.control, app, What::Sessions)
    }

    /// The same for the places of pages that are away.
    pub fn take_pages(&mut self, app: AppId) -> Result<Option<String>, Failure> {
        self.kept.take(&self.control, app, What::Pages)
    }

    /// What this server's webhooks of Pusher's kinds have not told, and whose rows these are.
    pub fn news(&self, app: AppId, endpoint: &str) -> Result<(Owner, KeptNews), Failure> {
        // A file is of one server. In a database a server is known by a name that its data directory has.
        let server =
            self.control.shared().map_or_else(|| Ok(String::new()), |_| self.paths.server_name(self.name))?;
        let owner = Owner { app, endpoint: endpoint.to_owned(), server };
        let kept = news::read(&self.control, &owner)?;
        Ok((owner, kept))
    }

    /// The newest events of an app's cached channels, for a log that stands at this place.
    pub fn cached(&self, app: AppId, at: &Position, since: Millis) -> Result<Vec<SharedEntry>, Failure> {
        cached::newest(&self.control, app, at, since)
    }

    /// Starts the threads. Every committed row goes through the world's feed before it is
    /// acknowledged.
    pub fn start(self, world: World) -> Result<Store, Failure> {
        self.start_with(world, Checkpointer::default())
    }

    pub(super) fn start_with(self, world: World, checkpointer: Checkpointer) -> Result<Store, Failure> {
        let World { feed, mut clock, mut seeds, quiet } = world;
        let process = format!("{:032x}", u128::from_be_bytes(seeds()));
        let kept = self.kept;
        let reading = kept.connect_reader()?;
        let mut ledger = Ledger::open(kept.connect()?, clock(), seeds)?;
        let heads = self.heads.into_inner().unwrap_or_else(PoisonError::into_inner);
        heads.into_iter().try_for_each(|(app, row)| ledger.log_has(app, row))?;
        ledger.tables.process = process.clone();
        if ledger.tables.db.shared().is_some() {
            // Others may have changed them since this process opened the database.
            self.members.reload(&ledger.tables.db)?;
        }
        let store = Store {
            writes: Arc::new(Lane::new(WRITES, WRITE_BYTES)),
            reads: Arc::new(Lane::new(READS, usize::MAX)),
            checkpointer: Arc::new(checkpointer),
            threads: Mutex::default(),
            control: Mutex::new(Some(Control { db: self.control, _lock: self.lock })),
            installation: self.installation,
            kept,
        };
        let (writes, reads) = (store.writes.clone(), store.reads.clone());
        let checkpointer = store.checkpointer.clone();
        let woken = Woken::default();
        // What is started before a failure is ended by the store's drop.
        let writer = Writer {
            ledger,
            lane: writes.clone(),
            clock,
            checkpointer: store.checkpointer.clone(),
            durable_age: self.durable_age,
            members: self.members,
            quiet,
            expiry: None,
            batches: 0,
            woken: woken.clone(),
        };
        store.threads().writer = Some(spawn("deskbell-writer", move || writer.run(Teller { feed }))?);
        match &store.kept {
            Kept::File(place) => {
                let copying = schema::connect(place)?;
                let others = spawn("deskbell-copier", move || checkpointer.run(&copying, &writes))?;
                store.threads().others.push(others);
            }
            Kept::Shared(place, _) => {
                let follower = Follower::begin((**place).clone(), process, writes, woken)?;
                store.threads().follower = Some(follower);
            }
        }
        let others = spawn("deskbell-reader", move || reader::run(reading, &reads))?;
        store.threads().others.push(others);
        Ok(store)
    }
}
