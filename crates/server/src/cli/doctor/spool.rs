//! The folder in which a site leaves files: may they be read and taken away?

use std::os::unix::fs::MetadataExt as _;

use super::Finding;
use crate::config::Settings;
use crate::portico::spool::probe;
use crate::run::portico;

/// Bits of a folder's mode: everybody may write there, and take away what others wrote.
const OPEN_TO_ALL: (u32, u32) = (0o002, 0o1000);

/// Whether the spool can be read; nothing, where none is set up.
pub fn is_readable(settings: &Settings) -> Option<Finding> {
    // Which app is told makes no difference to the folder.
    let plan = match portico::spool_with(settings, |_| Ok(0)) {
        Ok(plan) => plan?,
        Err(error) => return Some(Finding::fail(error.to_string(), "correct the configuration")),
    };
    let shown = plan.folder.display();
    if let Err(error) = probe(&plan) {
        let seen = format!("the spool {shown} cannot be read: {error}");
        let advice = "make the folder, for a group in which the site's user and the server's are";
        return Some(Finding::fail(seen, advice));
    }
    let mode = std::fs::metadata(&plan.folder).map_or(0, |meta| meta.mode());
    let (written, sticky) = OPEN_TO_ALL;
    if mode & written != 0 && mode & sticky == 0 {
        let seen = format!("everybody may take files out of the spool {shown}");
        return Some(Finding::warn(seen, format!("chmod o-w {shown}")));
    }
    Some(Finding::ok(format!("the spool {shown} can be read")))
}
