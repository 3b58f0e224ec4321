//! The apps of this node. One may be added at any time, and none ever changes its place, so that whoever knows a
//! place never asks again.

use std::ops::Index;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use deskbell_core::limits;

use super::App;

/// The apps, by place.
#[derive(Debug)]
pub struct Apps {
    places: Box<[OnceLock<Box<App>>]>,
    /// How many places are taken, counted when the app is in its place.
    taken: AtomicUsize,
    /// Held by whoever adds one.
    adding: Mutex<()>,
}

impl Default for Apps {
    fn default() -> Self {
        let places = (0..limits::APPS).map(|_| OnceLock::new()).collect();
        Self { places, taken: AtomicUsize::new(0), adding: Mutex::new(()) }
    }
}

impl Apps {
    /// Puts another app behind the others; `None` if there is no place left. Who makes it is given its place.
    pub fn add<E>(&self, make: impl FnOnce(usize) -> Result<App, E>) -> Result<Option<&App>, E> {
        // Nothing is left half done by whoever panics while it is held.
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.count();
        let Some(place) = self.places.get(index) else { return Ok(None) };
        let app = make(index)?;
        let app = place.get_or_init(|| Box::new(app));
        self.taken.store(index + 1, Ordering::Release);
        Ok(Some(app))
    }

    /// How many there ever were.
    pub fn count(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Every app that ever was, by place: those that were taken away, too.
    pub fn ever(&self) -> impl Iterator<Item = &App> {
        self.places[..self.count()].iter().filter_map(|place| place.get().map(|app| &**app))
    }

    /// The apps that are there.
    pub fn iter(&self) -> impl Iterator<Item = &App> {
        self.ever().filter(|app| app.is_there())
    }

    /// The app that everybody means who names none.
    pub fn first(&self) -> Option<&App> {
        self.iter().next()
    }

    /// The app with this number.
    pub fn of_id(&self, id: u64) -> Option<&App> {
        self.iter().find(|app| app.id.0 == id)
    }

    /// The app with this key.
    pub fn of_key(&self, key: &str) -> Option<&App> {
        self.iter().find(|app| app.key == key)
    }
}

impl Index<usize> for Apps {
    type Output = App;

    fn index(&self, index: usize) -> &App {
        self.places[index].get().expect("a place is told only once its app is there")
    }
}
