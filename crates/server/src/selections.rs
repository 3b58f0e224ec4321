//! Selections of all shards together, and the events that tell of them.

use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::Refusal;
use deskbell_core::selection::{Changed, Selections, Viewer};
use deskbell_core::vocabulary::{Publish, Slot};
use serde_json::json;

use crate::hub::Hub;

fn of(hub: &Hub, app: usize) -> MutexGuard<'_, Selections> {
    // At worst a count is wrong until its selection ends.
    hub.apps[app].selections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody looks at a time.
pub fn select(hub: &Hub, app: usize, viewer: Viewer, slot: Slot, now: Millis) -> Result<(), Refusal> {
    let changed = of(hub, app).select(viewer, slot, now)?;
    tell(hub, app, changed, now);
    Ok(())
}

/// It does not any more.
pub fn deselect(hub: &Hub, app: usize, viewer: Viewer, slot: &Slot, now: Millis) {
    let changed = of(hub, app).deselect(viewer, slot);
    tell(hub, app, changed, now);
}

/// Its connection has ended.
pub fn gone(hub: &Hub, app: usize, viewer: Viewer, now: Millis) {
    let changed = of(hub, app).gone(viewer);
    tell(hub, app, changed, now);
}

/// What nobody has said again is over. For a timer.
pub fn expire(hub: &Hub, now: Millis) {
    for app in 0..hub.apps.count() {
        let changed = of(hub, app).expire(now);
        tell(hub, app, changed, now);
    }
}

/// Tells how many look, and never who.
fn tell(hub: &Hub, app: usize, changed: impl IntoIterator<Item = Changed>, now: Millis) {
    for Changed { slot, viewers } in changed {
        let channel = ChannelName::parse(&format!("selections:{}", slot.resource));
        let name = EventName::parse("selection.changed");
        let (Ok(channel), Ok(name)) = (channel, name) else { continue };
        let (start, end) = (slot.span.start, slot.span.end);
        let data = json!({ "resource": slot.resource, "start": start, "end": end, "viewers": viewers });
        let data = Data::json(Bytes::from(data.to_string()));
        let publish = Publish { channel, name, data, id: None, key: None, except: None };
        // Nobody is owed a selection, so nobody waits for what became of it.
        drop(hub.publish(&hub.apps[app], &Identity::backend(), publish, now, drop));
    }
}
