//! What changed between two readings of the configuration, and what can be done about it while running.

use std::collections::BTreeSet;

use super::options::{self, Group};
use super::settings::Settings;

/// The difference between two settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The parts that have to take new settings, and can.
    pub groups: BTreeSet<Group>,
    /// Changed options that count only after a restart, by key.
    pub restart: Vec<&'static str>,
}

impl Difference {
    /// Whether nothing changed at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.restart.is_empty()
    }
}

impl Settings {
    /// Compares option by option. The log file is opened anew on SIGHUP also when nothing changed.
    pub fn reload_difference(old: &Settings, new: &Settings) -> Difference {
        let mut difference = Difference::default();
        for opt in options::all() {
            if old.values.held(opt.key) == new.values.held(opt.key) {
                continue;
            }
            match opt.live {
                Some(group) => {
                    difference.groups.insert(group);
                }
                None => difference.restart.push(opt.key),
            }
        }
        difference
    }
}
